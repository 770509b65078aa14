"""Where spending is kept count of: in memory, or in a file that several processes share."""
