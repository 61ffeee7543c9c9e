"""The only room that imports ESPnet and S3PRL."""

try:
    # ESPnet 202511 imports g2p_en, which downloads NLTK data whenever it is imported, or complains that it cannot.
    # Nothing here turns letters into phonemes. ESPnet 202611 no longer needs either package.
    import nltk
except ImportError:
    pass
else:
    nltk.download = lambda *_arguments, **_options: False
