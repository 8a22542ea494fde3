"""Each quarter, owners state and sign what is true."""
