"""What a directory says and how it says it: SCIM (RFC 7643, RFC 7644) and the people file. No Django here."""
