"""What the commands of one trial do: train again, predict, describe."""
