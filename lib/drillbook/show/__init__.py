"""What a person sees. Renders facts and plans; decides nothing."""
