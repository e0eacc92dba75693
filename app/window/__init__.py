"""What is seen of the session: the main window, its menus and keys, what it draws."""
