"""What watching costs: traffic from processes of its own, plain servers to compare with, and the comparison."""
