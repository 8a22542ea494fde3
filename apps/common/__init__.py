"""What any web application needs and no reader of our domain would name; no models."""
