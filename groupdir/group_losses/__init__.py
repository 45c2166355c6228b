"""How a group head is trained and read: one criterion per class, chosen by `method.criterion` of group_dir."""
