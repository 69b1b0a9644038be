"""Settings from the file, the secrets and the environment; every fault says where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scripts.runtime.configuration import load_settings
from scripts.runtime.environment import NAMES
from scripts.runtime.errors import SettingsError
from scripts.runtime.secrets import parse_secrets
from scripts.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
CANARY = "canary-9f3c"
NO_SETTING = " is no setting of this service"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path


def load(root: Path, yaml: str = "", secrets: str = "", **environ: str) -> Settings:
    (root / "config" / "runtime.yaml").write_text(yaml, encoding="utf-8")
    (root / "config" / "secrets.env").write_text(secrets, encoding="utf-8")
    return load_settings(root, environ)


def refused(root: Path, yaml: str = "", secrets: str = "", **environ: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(root, yaml, secrets, **environ)
    assert CANARY not in str(caught.value)
    return caught.value


def test_nothing_at_all_gives_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings == Settings(root=tmp_path, data_dir=tmp_path)
    assert settings.provider == "mock"
    assert (settings.memory_dir, settings.documents_dir) == (tmp_path / "memory", tmp_path / "docs")


def test_prices_and_limits(root: Path) -> None:
    llm = load(
        root,
        """
llm:
  prices:
    my-model: {input: 1, output: 2.5}
    openai:gpt-x: {input: 0.1, output: 1, cached: 0}
  limits:
    openai: {requests_per_minute: 60, tokens_per_minute: 90000}
    anthropic: {requests_per_minute: 5}
""",
    ).llm
    prices = {name: (each.input, each.output, each.cached) for name, each in llm.prices.items()}
    assert prices == {"my-model": (1, 2.5, None), "openai:gpt-x": (0.1, 1, 0)}
    limits = {
        name: (each.requests_per_minute, each.tokens_per_minute)
        for name, each in llm.limits.items()
    }
    assert limits == {"openai": (60, 90000), "anthropic": (5, None)}


def test_defaults_are_those_of_the_specification() -> None:
    settings = Settings()
    assert (settings.llm.timeout, settings.llm.retries, settings.llm.max_concurrency) == (
        120,
        3,
        16,
    )
    assert (settings.memory.backend, settings.memory.durability) == ("file", "commit")
    assert (settings.documents.dir, settings.documents.save_outputs) == ("docs", "all")
    assert settings.on_missing_doc == "skip"
    assert (settings.runs.max_parallel_agents, settings.runs.timeout) == (10, 1800)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert (settings.server.max_body, settings.server.drain_seconds) == (10_000_000, 8)


def test_the_file_of_the_repository_holds_every_key_with_its_default(root: Path) -> None:
    text = (ROOT / "config" / "runtime.yaml").read_text(encoding="utf-8")
    assert load(root, text) == Settings(root=root, data_dir=root)
    for section in ("llm", "prompt", "memory", "documents", "runs", "server"):
        for key in type(getattr(Settings(), section)).model_fields:
            assert f"\n  {key}: " in text or f"\n  {key}:\n" in text, f"{section}.{key}"


def test_the_example_of_secrets_can_be_copied(root: Path) -> None:
    text = (ROOT / "config" / "secrets.env.example").read_text(encoding="utf-8")
    assert load(root, secrets=text) == Settings(root=root, data_dir=root)
    uncommented = text.replace("# OPENAI_BASE_URL", "OPENAI_BASE_URL")
    assert load(root, secrets=uncommented).provider == "openai-compatible"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().on_missing_doc = "wait"


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("LLM_PROVIDER", "mock", "llm.provider", "mock"),
        ("LLM_PROVIDER", "Mock", "llm.provider", "mock"),
        ("LLM_MODEL", "llama3:8b", "llm.model", "llama3:8b"),
        ("LLM_PROVIDER", "my_models.local:MyModel", "llm.provider", "my_models.local:MyModel"),
        ("OPENAI_BASE_URL", "http://h:1/v1/", "llm.base_url", "http://h:1/v1"),
        ("ANTHROPIC_BASE_URL", "http://h:1/", "llm.anthropic.base_url", "http://h:1"),
        ("GOOGLE_GEMINI_BASE_URL", "http://h:1", "llm.google.base_url", "http://h:1"),
        ("GOOGLE_GENAI_API_VERSION", "beta", "llm.google.api_version", "beta"),
        ("MEMORY_BACKEND", "file", "memory.backend", "file"),
        ("LOG_LEVEL", "DEBUG", "log_level", "debug"),
        ("MAX_WORKERS", "7", "runs.max_parallel_agents", 7),
        ("HOST", "0.0.0.0", "server.host", "0.0.0.0"),
        ("PORT", "9000", "server.port", 9000),
        ("BMAD_AUTH", "off", "server.auth", "off"),
        ("BMAD_METRICS", "Key", "server.metrics", "key"),
        ("TESTING", "0", "testing", True),
        ("TESTING", "", "testing", False),
        ("PORT", "", "server.port", 8000),
        ("BMAD_DATA_DIR", "/data", "data_dir", Path("/data")),
        ("OTEL_SDK_DISABLED", "TRUE", "tracing.disabled", True),
        ("OTEL_SERVICE_NAME", "stories", "tracing.service_name", "stories"),
        ("OTEL_TRACES_EXPORTER", "otlp", "tracing.url", "http://localhost:4318/v1/traces"),
        ("OTEL_TRACES_SAMPLER", "traceidratio", "tracing.sampler", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25", "tracing.ratio", 0.25),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://h/x/", "tracing.url", "https://h/x/v1/traces"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://h/own", "tracing.url", "https://h/own"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "tracing.protocol", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", "tracing.traces_protocol", "grpc"),
    ],
)
def test_variables(root: Path, name: str, value: str, path: str, expected: Any) -> None:
    for settings in (load(root, **{name: value}), load(root, secrets=f"{name}={value}")):
        found: Any = settings
        for part in path.split("."):
            found = getattr(found, part)
        assert found == expected


def test_secret_variables(root: Path) -> None:
    settings = load(
        root,
        OPENAI_API_KEY=f" {CANARY}\n",
        BMAD_API_KEYS=CANARY,
        REDIS_URL=f"redis://:{CANARY}@h",
        ANTHROPIC_API_KEY=CANARY,
        GEMINI_API_KEY=CANARY,
        OTEL_EXPORTER_OTLP_HEADERS=f"key={CANARY}",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS=f"key={CANARY}",
    )
    secrets = settings.secrets
    assert secrets.openai_api_key is not None
    assert secrets.openai_api_key.get_secret_value() == CANARY
    for provider in ("openai", "openai-compatible", "anthropic", "google"):
        assert settings.key_of(provider) == CANARY
    assert settings.key_of("mock") is None
    assert secrets.api_keys is not None
    assert secrets.api_keys.get_secret_value() == CANARY
    for shown in (repr(settings), str(settings), settings.model_dump_json(), f"{settings.memory}"):
        assert CANARY not in shown
    assert CANARY not in str(settings.warnings)


def test_every_variable_is_tested() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in NAMES if source.count(f"{name}") < 1] == []


def test_environment_wins_over_secrets_and_those_over_the_file(root: Path) -> None:
    yaml = "server: {port: 1, host: a}\nruns: {max_parallel_agents: 1}\n"
    secrets = "PORT=2\nMAX_WORKERS=2\n"
    settings = load(root, yaml, secrets, PORT="3")
    assert (settings.server.port, settings.runs.max_parallel_agents) == (3, 2)
    assert settings.server.host == "a"


def test_prices(root: Path) -> None:
    yaml = "llm: {prices: {gpt-x: {input: 1, output: 4.5, cached: 0}, m: {input: 0, output: 0}}}"
    prices = load(root, yaml).llm.prices
    assert (prices["gpt-x"].input, prices["gpt-x"].output, prices["gpt-x"].cached) == (1, 4.5, 0)
    assert prices["m"].cached is None


def test_first_token_timeout(root: Path) -> None:
    assert load(root).llm.first_token_timeout == 60
    assert load(root, "llm: {first_token_timeout: null}").llm.first_token_timeout is None


def test_folders_are_relative_to_the_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    settings = load(Path(), "documents: {dir: papers}", BMAD_DATA_DIR="data")
    monkeypatch.chdir("/")
    assert settings.memory_dir == root / "data" / "memory"
    assert settings.documents_dir == root / "data" / "papers"


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("10MB", 10**7), ("2 MiB", 2**21), ("64kb", 64_000), ("1GB", 10**9)],
)
def test_sizes(root: Path, text: str, size: int) -> None:
    assert load(root, f"server: {{max_body: {text}}}").server.max_body == size


class TestProvider:
    @pytest.mark.parametrize(
        ("environ", "provider"),
        [
            ({}, "mock"),
            ({"OPENAI_API_KEY": "k"}, "openai"),
            ({"OPENAI_BASE_URL": "http://h"}, "openai-compatible"),
            ({"OPENAI_BASE_URL": "http://h", "OPENAI_API_KEY": "k"}, "openai-compatible"),
            ({"OPENAI_API_KEY": "k", "TESTING": "1"}, "mock"),
            ({"OPENAI_API_KEY": "k", "LLM_PROVIDER": "mock"}, "mock"),
            ({"LLM_PROVIDER": "openai", "OPENAI_API_KEY": "k"}, "openai"),
            ({"LLM_PROVIDER": "openai", "TESTING": "1"}, "mock"),
            ({"ANTHROPIC_API_KEY": "k"}, "anthropic"),
            ({"GEMINI_API_KEY": "k"}, "google"),
            ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, "openai"),
            ({"ANTHROPIC_API_KEY": "k", "GEMINI_API_KEY": "k"}, "anthropic"),
            ({"OPENAI_BASE_URL": "http://h", "ANTHROPIC_API_KEY": "k"}, "openai-compatible"),
            ({"ANTHROPIC_BASE_URL": "http://h"}, "mock"),
            ({"LLM_PROVIDER": "google", "GEMINI_API_KEY": "k", "OPENAI_API_KEY": "k"}, "google"),
            ({"LLM_PROVIDER": "a.b:C", "OPENAI_API_KEY": "k"}, "a.b:C"),
        ],
    )
    def test_auto(self, root: Path, environ: dict[str, str], provider: str) -> None:
        settings = load(root, **environ)
        assert settings.provider == provider
        assert settings.warnings == ()

    @pytest.mark.parametrize(
        ("provider", "name"),
        [
            ("openai", "OPENAI_API_KEY"),
            ("anthropic", "ANTHROPIC_API_KEY"),
            ("google", "GEMINI_API_KEY"),
        ],
    )
    def test_a_provider_without_its_key(self, root: Path, provider: str, name: str) -> None:
        error = refused(root, f"llm:\n  provider: {provider}\n")
        assert error.where == "config/runtime.yaml:2"
        assert f"{provider} needs {name}" in str(error)

    def test_a_script_that_nobody_plays_is_told(self, root: Path) -> None:
        settings = load(root, "llm: {script: config/mock.yaml}", OPENAI_API_KEY=CANARY)
        assert settings.warnings == ("llm.script: not used, the provider is openai",)
        assert load(root, "llm: {script: config/mock.yaml}").warnings == ()

    def test_compatible_without_a_url(self, root: Path) -> None:
        assert refused(root, LLM_PROVIDER="openai-compatible").where == "LLM_PROVIDER"


class TestFaults:
    @pytest.mark.parametrize(
        ("yaml", "line", "says"),
        [
            ("\nllm:\n  timout: 3\n", 3, "unknown key llm.timout (did you mean timeout?)"),
            ("memroy:\n  backend: file\n", 1, "unknown key memroy (did you mean memory?)"),
            ("memory:\n  redis:\n    urll: x\n", 3, "memory.redis.urll (did you mean url?)"),
            ("llm:\n  provider: opnai\n", 2, "(did you mean openai?)"),
            ("llm:\n  provider: my_models.local\n", 2, "package.module:Class"),
            ("llm:\n  provider: my models:C\n", 2, "package.module:Class"),
            ("llm:\n  anthropic:\n    base_url: h\n", 3, "http or https"),
            ("llm:\n  google:\n    versoin: 1\n", 3, "unknown key llm.google.versoin"),
            ("llm:\n  first_token_timeout: 0\n", 2, "greater than 0"),
            ("llm:\n  prices: {m: 1}\n", 2, "llm.prices.m should be a mapping"),
            ("llm:\n  prices:\n    m: {input: 1}\n", 3, "llm.prices.m.output is missing"),
            ("llm:\n  prices:\n    m: {input: -1, output: 1}\n", 3, "greater than or equal to 0"),
            (
                "llm:\n  prices:\n    m:\n      inptu: 1\n      input: 1\n      output: 1\n",
                4,
                "unknown key llm.prices.m.inptu (did you mean input?)",
            ),
            ("on_missing_doc: skp\n", 1, "(did you mean skip?)"),
            ("llm:\n  prices:\n    m: {inptu: 1}\n", 3, "llm.prices.m.inptu (did you mean input?)"),
            ("llm:\n  prices:\n    m:\n      input: 1\n", 3, "llm.prices.m.output is missing"),
            ("llm:\n  prices: {m: {input: -1, output: 1}}\n", 2, "llm.prices.m.input should be"),
            ("llm:\n  limits: {openai: {tokens_per_minute: 0}}\n", 2, "should be greater than"),
            ("llm:\n  limits: {openai: {rpm: 6}}\n", 2, "unknown key llm.limits.openai.rpm"),
            ("server:\n  port: 70000\n", 2, "server.port should be less than or equal to 65535"),
            ("server:\n  port: '80'\n", 2, "server.port should be a valid integer"),
            ("server:\n  port: true\n", 2, "valid integer"),
            ("server:\n  cors_origins:\n    - a\n    - 5\n", 4, "valid string"),
            ("server:\n  cors_origins: a\n", 2, "should be a list"),
            ("server: 5\n", 1, "server should be a mapping"),
            ("llm:\n  timeout: 0\n", 2, "greater than 0"),
            ("llm:\n  timeout: .inf\n", 2, "finite"),
            ("llm:\n  retries: 0\n", 2, "greater than or equal to 1"),
            ("llm:\n  base_url: ftp://h\n", 2, "http or https"),
            ("llm:\n  base_url: http://u:canary-9f3c@h\n", 2, "user name"),
            ("server:\n  max_body: 10XB\n", 2, "number of bytes"),
            ("server:\n  max_body: 1\n", 2, "greater than or equal to 1000"),
            ('documents:\n  dir: ""\n', 2, "at least 1 character"),
            ('documents:\n  dir: "a\\0b"\n', 2, "printable"),
            ("memory:\n  backend: rediss\n", 2, "did you mean redis?"),
            ("memory:\n  backend: my_stores.mongo\n", 2, "package.module:Class"),
            ("memory:\n  redis: {url: 'http://canary-9f3c@h'}\n", 2, "redis://host:port/number"),
            ("memory:\n  redis:\n    pool_size: 60\n", 3, "at most max_connections, 50"),
            ("memory:\n  redis: {ttl: 0}\n", 2, "greater than or equal to 1"),
            ("a: 1\na: 2\n", 2, "stands twice"),
            ("a: &x 1\n", 1, "anchor"),
            ("a: [\n", 2, "does not parse"),
            ("- a\n", 1, "mapping"),
            ("secrets: {openai_api_key: canary-9f3c}\n", 1, "config/secrets.env"),
            ("log_level: debug\n", 1, "environment"),
            ("root: /\n", 1, "unknown key root"),
            ('"a\\nb": 1\n', 1, "unknown key a?b"),
            (
                "llm: {openai_api_key: canary-9f3c}\n",
                1,
                "unknown key llm.openai_api_key (set it in",
            ),
            ("llm: {api_key: canary-9f3c}\n", 1, "in the environment or in config/secrets.env"),
            ("OPENAI_API_KEY: canary-9f3c\n", 1, "in the environment or in config/secrets.env"),
            ("PORT: 9000\n", 1, "unknown key PORT (here it is server.port)"),
            ("llm: {LLM_MODEL: x}\n", 1, "(here it is llm.model)"),
        ],
    )
    def test_of_the_file(self, root: Path, yaml: str, line: int, says: str) -> None:
        error = refused(root, yaml)
        assert error.where == f"config/runtime.yaml:{line}"
        assert says in str(error)

    def test_all_at_once(self, root: Path) -> None:
        yaml = (
            "memroy: {}\nlog_level: debug\nllm:\n  timout: 3\n  retries: many\n"
            "runs: {database_url: postgres, timeout: 0}\n"
        )
        told = str(refused(root, yaml)).splitlines()
        assert [line.split(": ")[0].rpartition(":")[2] for line in told] == list("124566")
        assert sum("not supported yet" in line for line in told) == 1

    @pytest.mark.parametrize(
        "yaml",
        [
            "memory: {default_scope: 'shared:all'}",
            "runs: {database_url: 'postgres://h'}",
            "server: {rate_limit: 10}",
        ],
    )
    def test_what_is_not_built_yet(self, root: Path, yaml: str) -> None:
        error = refused(root, yaml)
        assert "not supported yet" in str(error)
        assert "this value" not in str(error)
        assert error.where == "config/runtime.yaml:1"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("LLM_PROVIDER", "opnai"),
            ("LLM_PROVIDER", "anthropic"),
            ("MEMORY_BACKEND", "rediss"),
            ("MEMORY_BACKEND", "my_stores.mongo"),
            ("MEMORY_BACKEND", "my_stores:"),
            ("REDIS_URL", f"http://u:{CANARY}@h"),
            ("REDIS_URL", f"redis://u:{CANARY}@h:0"),
            ("REDIS_URL", f"redis://u:{CANARY}@h:port"),
            ("REDIS_URL", f"redis://u:{CANARY}@h/database"),
            ("REDIS_URL", f"redis://u:{CANARY}@[h/0"),
            ("REDIS_URL", f"redis://h/0?{CANARY}=1"),
            ("REDIS_URL", "redis://h/0?socket_timeout=60"),
            ("REDIS_URL", "unix://"),
            ("BMAD_DATABASE_URL", f"postgres://u:{CANARY}@h"),
            ("OPENAI_API_KEY", f"{CANARY} with spaces"),
            ("OPENAI_API_KEY", f"{CANARY}…"),
            ("OPENAI_BASE_URL", f"http://u:{CANARY}@h"),
            ("BMAD_AUTH", "on"),
            ("BMAD_METRICS", "yes"),
            ("LOG_LEVEL", "loud"),
            ("MAX_WORKERS", "0"),
            ("MAX_WORKERS", "many"),
            ("PORT", "99999"),
            ("PORT", "8080x"),
            ("PORT", "9" * 5000),
            ("PORT", "²"),
            ("HOST", "a\x07b"),
            ("BMAD_DATA_DIR", "a\x00b"),
        ],
    )
    def test_of_the_environment(self, root: Path, name: str, value: str) -> None:
        error = refused(root, **{name: value})
        assert error.where == name
        assert len(str(error)) < 300

    def test_of_the_secrets(self, root: Path) -> None:
        assert refused(root, secrets=f"\nPORT={CANARY}").where == "config/secrets.env:2"
        assert refused(root, secrets=f"# x\n{CANARY}").where == "config/secrets.env:2"
        assert refused(root, secrets=f"A={CANARY}\nA={CANARY}").where == "config/secrets.env:2"
        assert refused(root, secrets=f'A="{CANARY}').where == "config/secrets.env:1"

    def test_unknown_names_in_the_secrets_are_told(self, root: Path) -> None:
        settings = load(root, secrets=f"OPENAI_APIKEY={CANARY}\nTOOL_TOKEN={CANARY}\n")
        assert settings.warnings == (
            f"config/secrets.env:1: OPENAI_APIKEY{NO_SETTING}; did you mean OPENAI_API_KEY?",
            f"config/secrets.env:2: TOOL_TOKEN{NO_SETTING}",
        )

    def test_redis_without_its_backend_is_told(self, root: Path) -> None:
        settings = load(root, REDIS_URL=f"redis://:{CANARY}@h")
        assert settings.warnings == ("REDIS_URL: not used, memory.backend is file",)

    @pytest.mark.parametrize("backend", ["redis", "my.stores:Mine"])
    def test_redis_with_another_backend_is_not_told(self, root: Path, backend: str) -> None:
        url = f"rediss://me:{CANARY}@h:6380/3?ssl_cert_reqs=none"
        settings = load(root, REDIS_URL=url, MEMORY_BACKEND=backend)
        assert settings.warnings == ()
        assert settings.memory.backend == backend
        assert settings.memory.redis.url.get_secret_value() == url
        assert CANARY not in repr(settings)

    @pytest.mark.parametrize("name", ["runtime.yaml", "secrets.env"])
    def test_files_that_cannot_be_read(self, root: Path, name: str) -> None:
        path = root / "config" / name
        path.write_bytes(b"# a\n\xff\xfe\n")
        with pytest.raises(SettingsError, match="not UTF-8") as caught:
            load_settings(root, {})
        assert caught.value.where == f"config/{name}:2"
        path.write_bytes(b"#" * 2**21)
        with pytest.raises(SettingsError, match="larger than 1 MiB"):
            load_settings(root, {})
        path.unlink()
        path.mkdir()
        with pytest.raises(SettingsError, match="cannot be read"):
            load_settings(root, {})

    def test_a_byte_order_mark_is_no_fault(self, root: Path) -> None:
        (root / "config" / "runtime.yaml").write_bytes(b"\xef\xbb\xbfserver: {port: 5}\r\n")
        assert load_settings(root, {}).server.port == 5


KEYS = st.sampled_from(
    ["llm", "memory", "redis", "url", "server", "port", "cors_origins", "prices", "timeout", "x"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["auto", "file", "redis", "10MB"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("settings")
    (root / "config").mkdir()
    return root


def test_every_wrong_value_is_told(root: Path) -> None:
    yaml = "llm:\n  retries: 99\n  timout: 3\nserver:\n  port: high\n"
    lines = str(refused(root, yaml, LOG_LEVEL="loud")).split("\n")
    assert [line.partition(": ")[0] for line in lines] == [
        "config/runtime.yaml:2",
        "config/runtime.yaml:3",
        "config/runtime.yaml:5",
        "LOG_LEVEL",
    ]
    assert "did you mean timeout?" in lines[1]


@pytest.mark.parametrize(
    "folder", ["generated", "generated/agents", "config", "memory", "x/../config"]
)
def test_documents_have_a_folder_of_their_own(root: Path, folder: str) -> None:
    fault = refused(root, f"on_missing_doc: wait\ndocuments:\n  dir: {folder}\n")
    assert fault.where == "config/runtime.yaml:3"


def test_who_said_the_host_is_known(root: Path) -> None:
    yaml = "on_missing_doc: wait\nserver:\n  host: 0.0.0.0\n"
    assert load(root, yaml).host_from == "config/runtime.yaml:3"
    assert load(root, yaml, HOST="::").host_from == "HOST"


def settings_or_fault(root: Path, environ: dict[str, str] | None = None) -> None:
    fault: SettingsError | None = None
    try:
        load_settings(root, environ or {})
    except SettingsError as error:
        fault = error
    lines = str(fault).split("\n")
    assert fault is None or (fault.where and all(line.isprintable() for line in lines))


@given(data=st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_data_is_settings_or_a_fault(shared_root: Path, data: dict[str, Any]) -> None:
    text = flow_style(data)
    (shared_root / "config" / "runtime.yaml").write_text(text, encoding="utf-8")
    settings_or_fault(shared_root)


@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda t: t.encode(errors="replace"))
)
def test_any_bytes_are_settings_or_a_fault(shared_root: Path, content: bytes) -> None:
    for name in ("runtime.yaml", "secrets.env"):
        path = shared_root / "config" / name
        path.write_bytes(content)
        settings_or_fault(shared_root)
        path.unlink()


@given(environ=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30), max_size=4))
def test_any_environment_is_settings_or_a_fault(shared_root: Path, environ: dict[str, str]) -> None:
    settings_or_fault(shared_root, environ)


def flow_style(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow_style(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow_style, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "null" if value is None else str(value).lower()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", "b"),
        ("A = b c ", "b c"),
        ("export A=b", "b"),
        ("A=", ""),
        ("A=b#c", "b#c"),
        ("A=b # c", "b"),
        ("A= # c", ""),
        ("A='b # c' # d", "b # c"),
        ('A="b\\n\\"c\\" # d"', 'b\n"c" # d'),
        ("A='b\\n'", "b\\n"),
        ("A=b=c", "b=c"),
        ("# x\r\n\r\nA=b\r\n", "b"),
        ("A=a\u2028b", "a\u2028b"),
    ],
)
def test_secrets_file(text: str, value: str) -> None:
    assert parse_secrets(text, "f")["A"].value == value


@pytest.mark.parametrize(
    "text", ["A", "=b", "A B=c", "9A=b", "A='b", 'A="b\\"', "A='b'c", "A=\x00"]
)
def test_secrets_file_that_is_none(text: str) -> None:
    with pytest.raises(SettingsError, match="f:1"):
        parse_secrets(text, "f")
