"""Sites (tenants): their settings and versions, keys, authorisation, administration."""
