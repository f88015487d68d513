"""What a hostile other side may send, through the stages as they are used."""
