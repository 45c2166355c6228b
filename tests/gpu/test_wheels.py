"""The packages of a machine without a network: their list, how they are repacked, and how they are unpacked."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.gpu import check
from tests.gpu.wheels import PLAIN, RAY, main, repack, requirements


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """Write a wheel for every platform, as pip reads it."""
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    about = f"{stem}.dist-info"
    files = files | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            item = zipfile.ZipInfo(file)
            item.external_attr = (0o755 if file.endswith("raylet") else 0o644) << 16
            wheel.writestr(item, text)
    return path


def test_the_list_is_in_the_constraints_and_in_the_scripts_head() -> None:
    names = [text.partition("==") for text in requirements(PLAIN + RAY)]
    assert all(name and version[0].isdigit() for name, _, version in names)
    assert check.__doc__
    words = check.__doc__.replace("(", " ").replace(")", " ").replace(",", " ").split()
    assert [name for name in PLAIN + RAY if name not in words] == []


def test_a_package_without_a_version_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("# numpy==1\nscipy==1.2\n", encoding="utf-8")
    assert requirements(["scipy"], tmp_path / "constraints.txt") == ["scipy==1.2"]
    with pytest.raises(KeyError, match="numpy"):
        requirements(["numpy"], tmp_path / "constraints.txt")


def test_modules_are_unpacked_and_scripts_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"toy.py": "NUMBER = 3\n", "toy-1.data/purelib/inner.py": "", "toy-1.data/scripts/run": ""}
    write_wheel(tmp_path, "toy", "1", files)
    main(["--install", str(tmp_path), str(tmp_path / "site")])
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["inner.py", "toy-1.dist-info", "toy.py"]
    assert capsys.readouterr().out.strip().endswith(f"export PYTHONPATH={tmp_path / 'site'}")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="got none"):
        main(["--install", str(tmp_path), str(tmp_path / "site")])


def test_ray_is_repacked_without_what_a_search_does_not_use(tmp_path: Path) -> None:
    files = {"ray/__init__.py": "", "ray/core/raylet": "", "ray/rllib/a.py": "", "ray/jars/b.jar": ""}
    packed = repack(write_wheel(tmp_path, "ray", "2", files))
    with tarfile.open(packed) as tar:
        modes = {item.name.removeprefix("./"): item.mode for item in tar if item.isfile()}
    assert sorted(name for name in modes if name.startswith("ray/")) == ["ray/__init__.py", "ray/core/raylet"]
    assert (modes["ray/core/raylet"] & 0o777, modes["ray/__init__.py"] & 0o777) == (0o755, 0o644)


@pytest.mark.slow
def test_fetched_packages_can_be_installed(tmp_path: Path) -> None:
    """The wheels come from a folder, because a test needs no network: the options after ours are pip's."""
    source, fetched = tmp_path / "source", tmp_path / "fetched"
    source.mkdir()
    for text in requirements(PLAIN + RAY):
        name, _, version = text.partition("==")
        write_wheel(source, name, version, {f"{name.replace('-', '_')}/__init__.py": ""})
    main([str(fetched), "--ray", "-q", "--no-index", "--find-links", str(source)])
    assert [path.name.partition("-")[0] for path in fetched.glob("*.tar.xz")] == ["ray"]
    main(["--install", str(fetched), str(tmp_path / "site")])
    assert all((tmp_path / "site" / name.replace("-", "_") / "__init__.py").exists() for name in PLAIN + RAY)
    main([str(tmp_path / "plain"), "-q", "--no-index", "--find-links", str(source)])
    assert len(list((tmp_path / "plain").iterdir())) == len(PLAIN)
