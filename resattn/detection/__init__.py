"""Objects in pictures: annotations read, boxes found in windows, judged and written."""
