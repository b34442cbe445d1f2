"""Images and speech: made, shown, played, and said into the microphone."""

from __future__ import annotations

import re
from pathlib import Path

from console.visiting import Browser, Visit
from playwright.sync_api import expect

import nexusai


def test_images_are_made_and_shown(visit: Visit) -> None:
    """With a description for who cannot see them, and as a file to keep."""
    visit.go("Images")
    visit.field("What is to be seen?").fill("two cats at the sea")
    visit.field("Format").select_option("16:9")
    visit.field("How many").select_option("2")
    visit.button("Draw").click()
    pictures = visit.page.get_by_role("figure").get_by_role("img")
    expect(pictures).to_have_count(2)
    size = pictures.first.evaluate(
        "async image => (await image.decode(), [image.naturalWidth, image.naturalHeight])"
    )
    assert size == [1344, 756]
    assert pictures.first.get_attribute("alt")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="Download").first.click()
    assert download.value.path().read_bytes()[:4] == b"\x89PNG"
    code = visit.python()
    assert 'aspect_ratio="16:9"' in code
    assert "num_images=2" in code


def test_a_text_is_read_aloud(visit: Visit) -> None:
    """In the voice that is chosen; the player can play it."""
    visit.go("Speech")
    visit.field("Text").fill("Good morning.")
    visit.field("Voice").fill("am_michael")
    visit.button("Speak").click()
    player = visit.field("The text, read aloud")
    expect(player).to_be_visible()
    visit.page.wait_for_function("audio => audio.duration > 0.5", arg=player.element_handle())
    assert 'voice="am_michael"' in visit.python("Show the Python") + _last_python(visit)


def _last_python(visit: Visit) -> str:
    visit.page.locator("summary:visible", has_text="Show the Python").last.click()
    return visit.page.locator("details[open] > .code:visible code").last.text_content() or ""


def say(visit: Visit, voice: Path, text: str) -> float:
    """Speak into the microphone that a page uses next; how many seconds it takes."""
    with nexusai.NexusAIClient(visit.platform.key, visit.platform.url) as client:
        spoken = client.audio.synthesize(text, voice="af_heart", format="wav")
        spoken.save(voice)
        return spoken.duration or 0.0


def test_what_is_said_into_the_microphone_is_written_down(browser: Browser, visit: Visit) -> None:
    """Recorded in the browser, sent, and recognised by the real model."""
    spoken = say(visit, browser.voice, "The library opens at nine.")
    visit.go("Speech")
    visit.field("Language").select_option("en")
    visit.button("Record").click()
    seconds = int(spoken) + 1
    recording = visit.page.get_by_role("button", name="Finish")
    expect(recording).to_contain_text(f"0:{seconds:02}")
    recording.click()
    transcript = visit.page.locator(".transcript")
    expect(transcript).to_contain_text(re.compile("library", re.IGNORECASE))
    expect(visit.field("recording.webm")).to_be_visible()  # it can be heard again
    assert '"recording.webm", language="en"' in visit.python()


def test_a_file_that_is_no_recording(visit: Visit, tmp_path: Path) -> None:
    """It is said which it is, and what was expected; a name is text, whatever it says."""
    name = "<b onmouseover=alert(1)>.txt"
    visit.go("Speech")
    file = {"name": name, "mimeType": "text/plain", "buffer": b"no sound"}
    visit.page.locator("input[type=file]:not([multiple])").set_input_files([file])
    expect(visit.page.get_by_role("alert")).to_contain_text("expected an audio or a video file")
    expect(visit.page.get_by_role("alert")).to_contain_text(name)
    visit.forgive("Failed to load resource")


def test_a_microphone_that_is_refused(browser: Browser, visit: Visit) -> None:
    """It is said what to do."""
    visit.page.evaluate(
        "void (navigator.mediaDevices.getUserMedia = "
        "() => Promise.reject(new DOMException('', 'NotAllowedError')))"
    )
    visit.go("Speech")
    visit.button("Record").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("allow it for this page")
