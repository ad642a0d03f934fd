"""The web app: pages and a JSON API for one classifier. ``poster-genre serve`` starts it."""
