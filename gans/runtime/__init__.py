"""Files written whole, locks, escaped text, the allocator, the precision of products."""
