"""Published data sets, from a server on this machine that serves tiny archives of the same layout."""

import hashlib
import io
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile
from sklearn.model_selection import PredefinedSplit

from leaf_sklearn import MelTransformer
from leaf_sklearn.datasets import _download, _esc50, _speech_commands, fetch_esc50, fetch_speech_commands

WORDS = {"yes": ["aa", "bb", "cc"], "no": ["aa", "dd"], "up": ["ee"]}
FAST = {"n_retries": 0, "delay": 0.0}


def wav(seed):
    stream = io.BytesIO()
    # noise does not compress, so that an archive is longer than one piece of it
    soundfile.write(stream, 0.1 * np.random.default_rng(seed).standard_normal(1600), 16000, format="WAV")
    return stream.getvalue()


def tar_of(files, prefix="./"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zip_of(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def speech_commands_files():
    """As v0.02 has them: a folder a word, speaker_nohash_take.wav, two lists, long noises beside them."""
    names = [f"{word}/{speaker}_nohash_{take}.wav" for word in WORDS for speaker in WORDS[word] for take in (0, 1)]
    files = {name: wav(number) for number, name in enumerate(names)}
    lists = {"validation_list.txt": "bb", "testing_list.txt": "dd"}
    for name, speaker in lists.items():
        files[name] = "".join(f"{each}\n" for each in names if f"/{speaker}_" in each).encode()
    return files | {"_background_noise_/running_tap.wav": wav(99), "LICENSE": b"CC BY 4.0", "README.md": b"#"}


def esc50_files():
    heading = "filename,fold,target,category,esc10,src_file,take\n"
    rows = [(1, "dog", True, "100032"), (1, "chirping_birds", False, "100038"), (2, "dog", True, "100210")]
    lines = [
        f"{fold}-{source}-A-{number}.wav,{fold},0,{category},{ten},{source},A\n"
        for number, (fold, category, ten, source) in enumerate(rows)
    ]
    files = {f"ESC-50-master/audio/{line.split(',')[0]}": wav(number) for number, line in enumerate(lines)}
    return files | {
        "ESC-50-master/meta/esc50.csv": (heading + "".join(lines)).encode(),
        "ESC-50-master/README.md": b"#",
    }


class Server(ThreadingHTTPServer):
    """Serves ``content`` under every path; may know ranges, and break off after some bytes."""

    content, etag, ranges, break_after, status = b"", '"1"', True, None, None

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.sent = [], 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers["Range"]
        server.requests.append(asked)
        start = 0
        if asked and server.ranges and self.headers["If-Range"] == server.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if server.status or start >= len(server.content):
            self.send_error(server.status or 416)
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        stop = len(server.content) if server.break_after is None else start + server.break_after
        server.sent += len(server.content[start:stop])
        self.wfile.write(server.content[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def serve(module, content):
        server.content = content
        hashed = None if module.ARCHIVE.sha256 is None else hashlib.sha256(content).hexdigest()
        name = module.ARCHIVE.name
        url = f"http://127.0.0.1:{server.server_port}/{name}"
        archive = _download.Archive(module.ARCHIVE.folder, url, hashed, "tiny")
        monkeypatch.setattr(module, "ARCHIVE", archive)

    server.serve = serve
    # a proxy of the environment does not know this machine's loopback
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def speech(server):
    server.serve(_speech_commands, tar_of(speech_commands_files()))
    return server


def test_speech_commands(speech, tmp_path):
    clips = fetch_speech_commands(data_home=tmp_path)
    assert clips.target_names == ["no", "up", "yes"] and len(clips.filenames) == 12
    assert np.bincount(clips.target).tolist() == [4, 2, 6] and clips.target.dtype == np.int64
    assert {(speaker, part) for speaker, part in zip(clips.groups, clips.split, strict=True)} == {
        ("aa", "train"),
        ("bb", "valid"),
        ("cc", "train"),
        ("dd", "test"),
        ("ee", "train"),
    }
    assert MelTransformer(n_filters=10).fit_transform(clips.filenames).shape == (12, 110)
    assert "CC BY" in clips.DESCR and "Speech Commands" in clips.DESCR
    # unpacked, nothing else is left, and it is not downloaded again
    assert [path.name for path in tmp_path.iterdir()] == ["speech_commands_v0.02"]
    assert fetch_speech_commands(data_home=tmp_path).filenames.tolist() == clips.filenames.tolist()
    assert len(speech.requests) == 1


def test_parts_of_speech_commands(speech, tmp_path):
    few = fetch_speech_commands(data_home=tmp_path, words=("yes", "no"), subset="test")
    assert few.target_names == ["no"] and few.split.tolist() == ["test"] * 2
    X, y = fetch_speech_commands(data_home=tmp_path, subset="train", return_X_y=True)
    assert len(X) == len(y) == 8
    with pytest.raises(ValueError, match=r"words \['maybe'\], expected some of \['no', 'up', 'yes'\]"):
        fetch_speech_commands(data_home=tmp_path, words=["maybe"])
    with pytest.raises(ValueError, match=r"subset='dev', expected one of \['all'"):
        fetch_speech_commands(data_home=tmp_path, subset="dev")


def test_esc50(server, tmp_path, monkeypatch):
    server.serve(_esc50, zip_of(esc50_files()))
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    clips = fetch_esc50()
    assert clips.target_names == ["chirping_birds", "dog"] and clips.target.tolist() == [1, 0, 1]
    assert clips.groups.tolist() == ["100032", "100038", "100210"] and clips.split is None
    assert [test.tolist() for _, test in PredefinedSplit(clips.folds).split()] == [[0, 1], [2]]
    assert MelTransformer(n_filters=10).fit_transform(clips.filenames).shape == (3, 110)
    ten = fetch_esc50(esc10=True)
    assert ten.target_names == ["dog"] and ten.folds.tolist() == [1, 2]
    assert len(server.requests) == 1


@pytest.mark.parametrize("fetch", [fetch_speech_commands, fetch_esc50])
def test_nothing_is_downloaded_that_may_not_be(fetch, tmp_path):
    with pytest.raises(OSError, match=r"Data not found in .* and `download_if_missing` is False"):
        fetch(data_home=tmp_path, download_if_missing=False)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_download_goes_on(speech, tmp_path):
    speech.break_after = 10_000
    with pytest.raises(
        OSError, match=r"the connection ended after 10000 of \d+ bytes.* 10000 bytes are kept in .*\.part"
    ):
        fetch_speech_commands(data_home=tmp_path, **FAST)
    assert not (tmp_path / "speech_commands_v0.02").exists()
    speech.break_after = None
    fetch_speech_commands(data_home=tmp_path, **FAST)
    assert speech.requests == [None, "bytes=10000-"]
    assert speech.sent == len(speech.content)  # no byte came twice
    assert [path.name for path in tmp_path.iterdir()] == ["speech_commands_v0.02"]


def test_attempts_are_repeated(speech, tmp_path):
    speech.break_after = -(-len(speech.content) // 3)
    with pytest.warns(UserWarning, match="again: the connection ended after"):
        fetch_speech_commands(data_home=tmp_path, n_retries=2, delay=0.0)
    assert len(speech.requests) == 3 and speech.sent == len(speech.content)


def test_pieces_of_two_versions_are_not_put_together(speech, tmp_path):
    speech.break_after = 10_000
    with pytest.raises(OSError, match="10000 bytes are kept"):
        fetch_speech_commands(data_home=tmp_path, **FAST)
    speech.break_after, speech.etag = None, '"2"'
    fetch_speech_commands(data_home=tmp_path, **FAST)
    assert speech.sent == 10_000 + len(speech.content)


def test_servers_without_ranges_and_kept_pieces_that_are_too_long(speech, tmp_path):
    part = tmp_path / "speech_commands_v0.02-speech_commands_v0.02.tar.gz.part"
    for ranges, asked in ((False, f"bytes={len(speech.content) + 5}-"), (True, f"bytes={len(speech.content) + 5}-")):
        home = tmp_path / str(ranges)
        home.mkdir()
        (home / part.name).write_bytes(bytes(len(speech.content) + 5))
        (home / part.with_suffix(".version").name).write_text(speech.etag)
        speech.ranges = ranges
        speech.requests.clear()
        assert len(fetch_speech_commands(data_home=home, **FAST).filenames) == 12
        assert speech.requests[0] == asked


def test_a_wrong_checksum_leaves_nothing(speech, tmp_path):
    speech.content = speech.content[:-1] + b"x"
    with pytest.raises(ValueError, match=r"(?i)hash .*does not match"):
        fetch_speech_commands(data_home=tmp_path, **FAST)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [404, 503])
def test_refusals_are_told(status, speech, tmp_path):
    speech.status = status
    with pytest.raises(OSError, match=rf"127.0.0.1.* \(tiny\) could not be downloaded: HTTP Error {status}"):
        fetch_speech_commands(data_home=tmp_path, **FAST)


def test_a_lost_page_is_not_asked_for_again(speech, tmp_path):
    speech.status = 404
    with pytest.raises(OSError, match="404"):
        fetch_speech_commands(data_home=tmp_path, n_retries=3, delay=0.0)
    assert len(speech.requests) == 1


@pytest.mark.parametrize("name", ["../outside.wav", "/outside.wav", "a/../../outside.wav", "..\\outside.wav"])
@pytest.mark.parametrize("pack", [lambda files: tar_of(files, prefix=""), zip_of], ids=["tar", "zip"])
def test_archives_that_reach_outside_are_refused(name, pack, server, tmp_path):
    home = tmp_path / "home"
    server.serve(_esc50, pack(esc50_files() | {name: b"x"}))
    with pytest.raises(ValueError, match=r"master\.zip cannot be unpacked: it holds .*outside of its folder"):
        fetch_esc50(data_home=home, **FAST)
    assert list(home.iterdir()) == [] and [path.name for path in tmp_path.iterdir()] == ["home"]


def test_broken_archives_are_refused_and_go(server, tmp_path):
    whole = zip_of(esc50_files())
    for content in (whole[: len(whole) // 2], tar_of(esc50_files())[:5000], b"<html>no archive</html>"):
        server.serve(_esc50, content)
        with pytest.raises(ValueError, match="cannot be unpacked"):
            fetch_esc50(data_home=tmp_path, **FAST)
        assert list(tmp_path.iterdir()) == []
    server.serve(_esc50, whole)
    assert len(fetch_esc50(data_home=tmp_path, **FAST).filenames) == 3


def test_ctrl_c_while_unpacking_keeps_the_archive(speech, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(_download, "_members", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_speech_commands(data_home=tmp_path, **FAST)
    assert [path.suffix for path in tmp_path.iterdir()] == [".gz"]
    fetch_speech_commands(data_home=tmp_path, **FAST)
    assert len(speech.requests) == 1


def test_pooch_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'leaf-sklearn\[datasets\]'"):
        fetch_esc50(data_home=tmp_path)
