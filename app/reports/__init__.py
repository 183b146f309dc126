"""What people read: one small file a report, its statement and its answer."""
