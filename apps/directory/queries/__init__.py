"""Reading what the directory keeps."""
