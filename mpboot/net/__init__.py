"""What two agents say to each other: frames, links, the loop; travels to hosts."""
