"""What a person is told of an alert: which fields, what was expected, one sentence. Only for rows that alert."""
