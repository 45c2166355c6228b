"""How a group head is trained and read: one criterion per class, chosen by `method.group_loss` of group_dir."""
