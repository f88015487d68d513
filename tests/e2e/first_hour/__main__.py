"""Plays the first hour and keeps its screens: python -m tests.e2e.first_hour. Look at each of them, as a newcomer."""

from __future__ import annotations

from tests.e2e.first_hour.play import SCREENS, a_home, play

if __name__ == "__main__":
    SCREENS.mkdir(exist_ok=True)
    with a_home() as home:
        for scene in play(home):
            (SCREENS / f"{scene.name}.txt").write_text(scene.text(home), encoding="utf-8")
