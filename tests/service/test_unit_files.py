"""Signed files: what may be replaced or removed, and what is the user's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from llm_tools_mcp.errors import ServiceError
from llm_tools_mcp.service import systemd_install, unit_files
from llm_tools_mcp.service.unit_files import (
    FileState,
    Program,
    check_replaceable,
    differences,
    remove,
    signed,
    state_of,
    template,
    write,
)
from tests.home import BIN
from tests.programs import run

TEXT = "[Unit]\nDescription=x\n"


def test_states(tmp_path):
    """Absent, installed, edited, foreign and masked files are told apart."""
    path = tmp_path / "unit"
    assert state_of(path) is FileState.ABSENT
    path.write_text(signed(TEXT, "# {}"))
    assert state_of(path) is FileState.INSTALLED
    path.write_text(path.read_text() + "# a remark\n")
    assert state_of(path) is FileState.EDITED
    path.write_text(TEXT)
    assert state_of(path) is FileState.FOREIGN
    path.unlink()
    path.symlink_to(os.devnull)
    assert state_of(path) is FileState.MASKED
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert state_of(path) is FileState.FOREIGN


@pytest.mark.parametrize("after_line", [0, 1, 2])
def test_mark_may_stand_anywhere(tmp_path, after_line):
    """A plist's comment cannot be its first line."""
    path = tmp_path / "unit"
    path.write_text(signed(TEXT, "<!-- {} -->", after_line))
    assert state_of(path) is FileState.INSTALLED


def test_write_is_atomic_and_readable(tmp_path):
    """The file is readable for all, as unit files are, and nothing temporary is left."""
    path = tmp_path / "a" / "unit"
    assert write(path, signed(TEXT, "# {}")) == f"wrote {path}"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]
    assert write(path, signed(TEXT, "# {}")) == f"{path} is up to date"


@pytest.mark.parametrize("act", [remove, lambda path: write(path, signed(TEXT, "# {}"))])
def test_edited_file_is_set_aside(tmp_path, act):
    """Neither install nor uninstall throws the user's own work away."""
    path = tmp_path / "unit"
    path.write_text("mine")
    assert "unit.saved" in act(path)
    assert (tmp_path / "unit.saved").read_text() == "mine"


@pytest.mark.parametrize("content", ["mine", signed(TEXT, "# {}") + "mine"])
def test_own_work_is_not_replaced(tmp_path, content):
    """The error says what to do instead."""
    path = tmp_path / "unit"
    path.write_text(content)
    with pytest.raises(ServiceError, match=r"(?s)a drop-in.*--force"):
        check_replaceable(path, "use a drop-in")


@pytest.mark.parametrize(
    "name",
    ["systemd/llm-mcp.socket", "systemd/llm-mcp.service", "launchd/io.github.llm-tools-mcp.plist"],
)
def test_template_is_the_packaged_file(name):
    """In a checkout the installer reads packaging/ itself."""
    folder, _, file = name.partition("/")
    assert template(folder, file) == (Path(__file__).parents[2] / "packaging" / name).read_text()


def test_missing_template_is_an_error():
    """An installation without its files says so."""
    with pytest.raises(ServiceError, match="lacks its packaged file"):
        template("systemd", "other.service")


def test_program_is_the_one_of_this_environment(tmp_path, monkeypatch):
    """The script beside the interpreter, by its path in the venv: the link is not followed."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").symlink_to("/usr/bin/env")
    (tmp_path / "llm-mcp").touch(mode=0o755)
    assert unit_files.current_program() == Program(tmp_path / "llm-mcp")


def test_program_of_a_target(tmp_path, monkeypatch):
    """`pip install --target` puts scripts below the packages, in a folder of no scheme of Python's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "llm-mcp").touch(mode=0o755)
    monkeypatch.setattr(unit_files, "__file__", str(tmp_path / "llm_tools_mcp" / "service" / "unit_files.py"))
    assert unit_files.current_program() == Program(tmp_path / "bin" / "llm-mcp")


def test_without_the_script_the_module_is_run(tmp_path, monkeypatch):
    """By this Python, which may stay when we are uninstalled: so the unit asks it whether we are there."""
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(unit_files, "_script_folders", lambda: iter([tmp_path]))
    program = unit_files.current_program()
    assert program == Program(Path(sys.executable), ("-m", "llm_tools_mcp.cli"))
    done = run([str(program.path), *program.arguments, "daemon", "--help"])
    assert "llm-mcp daemon" in done.stdout
    text = systemd_install.rendered_service(template("systemd", "llm-mcp.service"), program, "/bin", 252)
    assert f'ExecStart="{sys.executable}" -m llm_tools_mcp.cli daemon\n' in text
    assert '"$$0" -c "import llm_tools_mcp.cli" 2>/dev/null || { echo "llm-tools-mcp is gone.' in text


def test_variables_that_python_needs_to_find_us(tmp_path, monkeypatch):
    """After `pip install --prefix` or into another user base a unit without them would not start."""
    library = Path(unit_files.__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"/elsewhere:{library}")
    monkeypatch.setenv("PYTHONUSERBASE", str(library.parent))
    needed = {"PYTHONPATH": f"/elsewhere:{library}", "PYTHONUSERBASE": str(library.parent)}
    assert unit_files.import_variables() == needed
    text = systemd_install.rendered_service(
        template("systemd", "llm-mcp.service"), Program(Path("/p/llm-mcp")), "/bin", 252
    )
    for name, value in needed.items():
        assert f'Environment="{name}={value}"\n' in text
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path))
    assert unit_files.import_variables() == {}


def test_captured_path_drops_what_a_service_cannot_use(monkeypatch):
    """Relative, empty and repeated entries stay out, and those that are no UTF-8."""
    monkeypatch.setenv("PATH", "/a:.:/b::/a:rel/bin:/caf\udce9")
    assert unit_files.captured_path() == "/a:/b"


def test_program_whose_path_is_no_text_is_refused(tmp_path, monkeypatch):
    """No manager could read it; the error says so, in text."""
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    (folder / "llm-mcp").touch(mode=0o755)
    with pytest.raises(ServiceError, match=r"no UTF-8 text: .*/caf\?/llm-mcp"):
        unit_files.current_program()


def test_units_are_utf8_whatever_the_locale(tmp_path):
    """As the managers read them: a program below a folder called é, installed in the C locale."""
    text = signed(f"{TEXT}ExecStart=/\u00e9/llm-mcp\n", "# {}")
    program = (
        "import ast, pathlib, sys; from llm_tools_mcp.service.unit_files import state_of, write; "
        "path = pathlib.Path(sys.argv[1]); write(path, ast.literal_eval(sys.argv[2])); "
        "print(state_of(path).name)"
    )
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run([sys.executable, "-c", program, str(tmp_path / "unit"), ascii(text)], env=env)
    assert done.stdout == "INSTALLED\n"
    assert (tmp_path / "unit").read_bytes() == text.encode()


@pytest.mark.parametrize(
    ("version", "kind"), [(0, "notify"), (252, "notify"), (253, "notify-reload"), (257, "notify-reload")]
)
def test_reload_is_awaited_where_systemd_can(version, kind):
    """Type=notify-reload from 253 on, which sends the signal itself; older ones warn about it."""
    text = systemd_install.rendered_service(
        template("systemd", "llm-mcp.service"), Program(Path("/p")), "/bin", version
    )
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("Type=")] == [f"Type={kind}"]
    assert any(line.startswith("ExecReload=") for line in lines) == (kind == "notify")


def test_units_without_a_manager(tmp_path):
    """Nothing is written where no manager would use it, unless asked for; then they are known to lie idle."""
    units = tmp_path / "units"
    installer = systemd_install.SystemdInstaller(tmp_path, units)
    with pytest.raises(ServiceError, match="no systemd user manager"):
        installer.install(Program(Path("/bin/true")), enable=True, force=False)
    assert not units.exists()
    assert installer.idle() is None
    said = installer.install(Program(Path("/bin/true")), enable=False, force=False)
    assert "no systemd user manager" in said[-1]
    assert installer.idle() == (
        f"there are units in {units}, but this login has no systemd user manager (a container, su or cron?)",
        "llm mcp service uninstall",
    )
    installer.uninstall()
    assert installer.idle() is None


@pytest.mark.skipif(not shutil.which("systemctl"), reason="needs systemctl")
def test_commands_agree_about_units_without_a_manager(home):
    """install, status, doctor and uninstall tell the same."""

    def mcp(*words):
        command = ["env", "-u", "LLM_MCP_SOCKET", "LANG=C.UTF-8", BIN / "llm-mcp", *words]
        done = home.run(*command, check=False)
        return done.code, done.stdout + done.stderr

    code, said = mcp("service", "install")
    assert (code, "no systemd user manager" in said) == (1, True)
    assert "no service is installed" in mcp("service", "status")[1]
    assert mcp("service", "install", "--no-enable")[0] == 0
    code, said = mcp("service", "status")
    assert (code, "try: llm mcp service uninstall" in said) == (3, True)
    assert "no systemd user manager" in json.loads(mcp("service", "status", "--json")[1])["failure"]
    assert "→ llm mcp service uninstall" in mcp("doctor", "--no-connect")[1]
    assert "removed" in mcp("service", "uninstall")[1]
    assert "no service is installed" in mcp("service", "status")[1]


def test_control_characters_are_refused():
    """A line break in the PATH cannot become a setting of its own."""
    text = template("systemd", "llm-mcp.service")
    with pytest.raises(ServiceError, match="control characters"):
        systemd_install.rendered_service(text, Program(Path("/p")), "/bin\nExecStart=/evil", 252)


def test_differences_to_what_would_be_written(tmp_path):
    """Of installed files only, and never for what varies."""
    varying = re.compile("^PATH=.*\n", re.MULTILINE)
    one, two = tmp_path / "one", tmp_path / "two"
    wanted = {path: signed(f"{TEXT}PATH=/a\n", "# {}") for path in (one, two)}
    assert differences(wanted, varying) == []
    one.write_text(TEXT)
    assert differences(wanted, varying) == []
    one.write_text(signed(f"{TEXT}PATH=/b\n", "# {}"))
    assert differences(wanted, varying) == [f"{two} is missing"]
    two.write_text(signed("[Unit]\n", "# {}"))
    assert differences(wanted, varying) == [f"{two} is not what this llm-mcp would install"]
    two.write_text(f"{wanted[two]}# mine\n")
    assert "was edited" in differences(wanted, varying)[0]
