"""failover: decides which AI provider serves each request, keeps serving, and proves it beforehand."""
