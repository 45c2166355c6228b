"""Commands of one trial: train again, predict, describe."""
