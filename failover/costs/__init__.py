"""What a workload costs in a month: as things are, when prices double, when a target is lost, on bad days."""
