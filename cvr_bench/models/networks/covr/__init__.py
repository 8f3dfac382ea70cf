"""Networks of the CoVR family."""
