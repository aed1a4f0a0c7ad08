"""What the benchmarks need of the system: processes, their CPU time and memory, ports."""
