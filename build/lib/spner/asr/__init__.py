"""The only room that imports ESPnet and S3PRL."""

import typeguard

# typeguard rewrites and compiles each of ESPnet's functions to check the types of its own calls, half of the time that
# importing it takes. Its documentation means it for development: python -O leaves it out.
typeguard.typechecked = lambda function: function  # type: ignore[assignment]

try:
    # ESPnet 202511 imports g2p_en, which downloads NLTK data whenever it is imported, or complains that it cannot.
    # Nothing here turns letters into phonemes. ESPnet 202611 no longer needs either package.
    import nltk
except ImportError:
    pass
else:
    nltk.download = lambda *_arguments, **_options: False
