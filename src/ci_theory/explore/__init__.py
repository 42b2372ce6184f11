"""The page on which one moves a slider and sees a curve and its break move.

``controls`` says what can be moved, ``address`` what is shown, ``curve`` evaluates the theory,
``dots`` simulates; ``server`` answers the page in ``page/``, ``site`` writes it without a server;
``javascript`` translates the theory, ``rules`` the rules, and ``scripts`` makes both a script.
"""
