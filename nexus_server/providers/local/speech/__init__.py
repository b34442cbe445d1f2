"""Speech on this machine: Whisper writes down what is said, Kokoro and Hibari read aloud."""
