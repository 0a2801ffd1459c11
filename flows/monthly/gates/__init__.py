"""Gates, which judge a month against its own history before it is loaded."""
