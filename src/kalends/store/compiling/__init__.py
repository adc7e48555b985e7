"""From bound queries to SQL, for both databases."""
