"""Gates: a month is judged against its own history before it replaces or joins others."""
