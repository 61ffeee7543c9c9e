"""CTC beam search over posteriors with an n-gram model, in flashlight-text's C++; nothing here loads torch."""
