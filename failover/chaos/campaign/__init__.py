"""Many drills: jobs, where they run, what all their seeds say together, and two configs compared."""
