"""The one table of commands: it drives key bindings, menus, tooltips and the help page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the user can do.

    Attributes
    ----------
    name : str
        The method of the window's command receiver that does it.
    menu : str
        The menu, and the group on the help page.
    text : str
        What it does, as the menu says it.
    keys : tuple of str
        Key sequences, the first one shown; empty where only the menu offers it.
    checkable : bool
        The command switches something on and off.
    starts_on : bool
        It is on when the program starts.
    separated : bool
        A line stands above it in the menu.
    icon : str
        Icon name, or "".
    needs_run : bool
        It can be done only while a run is open.
    """

    name: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    checkable: bool = False
    starts_on: bool = False
    separated: bool = False
    icon: str = ""
    needs_run: bool = True


COMMANDS: tuple[Command, ...] = (
    Command("open_files", "File", "Open run…", ("Ctrl+O",), icon="file-outline", needs_run=False),
    Command(
        "open_folder",
        "File",
        "Open folder…",
        ("Ctrl+Shift+O",),
        icon="folder-open-outline",
        needs_run=False,
    ),
    Command("open_sample", "File", "Open the built-in sample", needs_run=False),
    Command(
        "previous_run",
        "File",
        "Previous run in the list",
        ("PgUp",),
        separated=True,
        needs_run=False,
    ),
    Command("next_run", "File", "Next run in the list", ("PgDown",), needs_run=False),
    Command("import_labels", "File", "Import labels…", ("Ctrl+I",), separated=True),
    Command("export_labels", "File", "Export labels…", ("Ctrl+E",), icon="export-variant"),
    Command("export_picture", "File", "Save picture (PNG)…", ("Ctrl+Shift+P",)),
    Command("export_movie", "File", "Save movie (MP4)…", ("Ctrl+M",)),
    Command("toggle_reviewed", "File", "Run is reviewed", ("Ctrl+R",), checkable=True),
    Command("open_settings", "File", "Settings…", ("Ctrl+,",), separated=True, needs_run=False),
    Command("quit", "File", "Quit", ("Ctrl+Q",), separated=True, needs_run=False),
    Command("undo", "Edit", "Undo", ("Ctrl+Z",), icon="undo"),
    Command("redo", "Edit", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), icon="redo"),
    Command("toggle_play", "Play", "Play or pause", ("Space",), icon="play"),
    Command("step_back", "Play", "Previous frame", ("Left",)),
    Command("step_forward", "Play", "Next frame", ("Right",)),
    Command("jump_back", "Play", "Back ten frames", ("Shift+Left",)),
    Command("jump_forward", "Play", "Forward ten frames", ("Shift+Right",)),
    Command("first_frame", "Play", "First frame", ("Home",)),
    Command("last_frame", "Play", "Last frame", ("End",)),
    Command("slower", "Play", "Slower", ("[",), separated=True, needs_run=False),
    Command("faster", "Play", "Faster", ("]",), needs_run=False),
    Command("cycle_repeat", "Play", "Loop, bounce or once", ("Ctrl+L",), needs_run=False),
    Command("fit", "View", "Fit the picture", ("F",), icon="fit-to-page-outline"),
    Command("one_to_one", "View", "One pixel to one pixel", ("1",)),
    Command("zoom_in", "View", "Zoom in", ("+", "=")),
    Command("zoom_out", "View", "Zoom out", ("-",)),
    Command("auto_window", "View", "Window: auto", ("W",), separated=True, icon="contrast-box"),
    Command("file_window", "View", "Window: next from file", ("Shift+W",)),
    Command("full_window", "View", "Window: full range", ("Ctrl+W",)),
    Command("toggle_invert", "View", "Invert", ("I",), checkable=True, icon="invert-colors"),
    Command("toggle_shutter", "View", "Shutter", ("Shift+S",), checkable=True, starts_on=True),
    Command(
        "toggle_tracks",
        "View",
        "Show tracks",
        ("O",),
        checkable=True,
        starts_on=True,
        separated=True,
        needs_run=False,
    ),
    Command(
        "toggle_trails",
        "View",
        "Show trails",
        ("Shift+O",),
        checkable=True,
        starts_on=True,
        needs_run=False,
    ),
    Command(
        "toggle_corners",
        "View",
        "Show text in the corners",
        ("Y",),
        checkable=True,
        starts_on=True,
        needs_run=False,
    ),
    Command(
        "toggle_patient",
        "View",
        "Show patient data",
        ("H",),
        checkable=True,
        starts_on=True,
        needs_run=False,
    ),
    Command(
        "toggle_panels",
        "View",
        "Show side panels",
        ("Ctrl+B",),
        checkable=True,
        starts_on=True,
        needs_run=False,
    ),
    Command(
        "toggle_theme",
        "View",
        "Light theme",
        ("Ctrl+T",),
        checkable=True,
        icon="theme-light-dark",
        needs_run=False,
    ),
    Command(
        "toggle_full_screen",
        "View",
        "Full screen",
        ("F11",),
        checkable=True,
        icon="fullscreen",
        needs_run=False,
    ),
    Command(
        "toggle_subtraction",
        "Subtraction",
        "Subtract the mask (DSA)",
        ("M",),
        checkable=True,
        icon="layers-minus",
    ),
    Command("mask_here", "Subtraction", "This frame is the mask", ("Shift+M",), separated=True),
    Command("mask_left", "Subtraction", "Move the mask left", ("Alt+Left",)),
    Command("mask_right", "Subtraction", "Move the mask right", ("Alt+Right",)),
    Command("mask_up", "Subtraction", "Move the mask up", ("Alt+Up",)),
    Command("mask_down", "Subtraction", "Move the mask down", ("Alt+Down",)),
    Command("mask_reset", "Subtraction", "The file's mask, not moved", ("Ctrl+Shift+M",)),
    Command("toggle_denoised", "Denoise", "Denoised or original (flip)", ("D",), icon="creation"),
    Command("show_original", "Denoise", "Original", ("Ctrl+1",), separated=True),
    Command("show_denoised", "Denoise", "Denoised", ("Ctrl+2",)),
    Command("show_side_by_side", "Denoise", "Side by side", ("Ctrl+3",)),
    Command("show_wipe", "Denoise", "Wipe", ("Ctrl+4",)),
    Command("show_difference", "Denoise", "Difference", ("Ctrl+5",)),
    Command("cancel_denoising", "Denoise", "Stop denoising", separated=True),
    Command("adapt_denoiser", "Denoise", "Adapt to this scanner", separated=True),
    Command("use_shipped_denoiser", "Denoise", "Back to the shipped denoiser", needs_run=False),
    Command("new_track", "Track", "New track", ("N",), icon="plus"),
    Command("next_track", "Track", "Next track", ("Q",)),
    Command("delete_track", "Track", "Delete track", ("Ctrl+Delete",)),
    Command("lock_labels", "Track", "Lock the labels", ("K",), checkable=True, needs_run=False),
    Command(
        "track_both", "Track", "Track both ways", ("T",), separated=True, icon="arrow-left-right"
    ),
    Command("track_backward", "Track", "Track backward", ("Shift+T",)),
    Command("track_forward", "Track", "Track forward", ("Ctrl+Shift+T",)),
    Command("cancel_tracking", "Track", "Stop tracking", ("Escape",)),
    Command("next_doubtful", "Track", "Next doubtful frame", ("E",), separated=True),
    Command("previous_doubtful", "Track", "Previous doubtful frame", ("Shift+E",)),
    Command("accept_point", "Track", "Point is right here", ("Return",)),
    Command("mark_occluded", "Track", "Occluded on this frame", ("X",)),
    Command("mark_absent", "Track", "Absent on this frame", ("A",)),
    Command("mark_visible", "Track", "Visible on this frame", ("V",)),
    Command("delete_point", "Track", "Delete on this frame", ("Delete",)),
    Command("span_start", "Track", "Span starts here", (",",), separated=True),
    Command("span_end", "Track", "Span ends here", (".",)),
    Command("interpolate_span", "Track", "Interpolate the span", ("G",)),
    Command("clear_span", "Track", "Clear the span", ("Shift+Delete",)),
    Command("drop_span", "Track", "Forget the span", ("Shift+,",)),
    Command(
        "show_shortcuts",
        "Help",
        "Keyboard shortcuts",
        ("F1", "?"),
        icon="keyboard-outline",
        needs_run=False,
    ),
    Command("show_about", "Help", "About Fluorotrace", needs_run=False),
)
