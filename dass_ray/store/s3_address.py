"""Where an S3 store is: what its URI and the environment say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

from dass_ray.errors import UserError
from dass_ray.store.base import check_path

FORM = "s3://BUCKET/PREFIX?endpoint=http://HOST:PORT&region=REGION&style=virtual"
Style = Literal["path", "virtual"]  # HOST/BUCKET/KEY or BUCKET.HOST/KEY
STYLES: dict[str | None, Style | None] = {None: None, "path": "path", "virtual": "virtual"}
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # boto3's, in its order


@dataclass(frozen=True)
class S3Address:
    """A folder of a bucket. Without endpoint it is at AWS; without region boto3 chooses one.

    Without style, the bucket is in the host's name at AWS, and in the path elsewhere, since other
    servers seldom have a host name for each bucket.
    """

    bucket: str
    prefix: str  # "" for the whole bucket
    endpoint: str | None
    region: str | None
    style: Style | None = None

    @classmethod
    def parse(cls, uri: str, environment: Mapping[str, str]) -> "S3Address":
        """Read a URI of the form above; the endpoint may be in the environment.

        Raises `UserError` for anything that it does not understand in full.
        """
        parts = urlsplit(uri)
        try:
            options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
        except ValueError:
            options = {parts.query: ""} if parts.query else {}
        endpoint = options.pop("endpoint", None)
        region = options.pop("region", None)
        style = options.pop("style", None)
        wrong = "" in (endpoint, region) or style not in STYLES
        if options or parts.fragment or not parts.netloc or wrong:
            raise UserError(f"cannot read the store URI {uri!r}: write {FORM}")
        endpoint = endpoint or next(filter(None, map(environment.get, ENDPOINT_VARIABLES)), None)
        if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
            raise UserError(f"bad S3 endpoint {endpoint!r}: it starts with http:// or https://")
        prefix = parts.path.strip("/")
        return cls(
            parts.netloc, check_path(prefix) if prefix else "", endpoint, region, STYLES[style]
        )

    @property
    def uri(self) -> str:
        """Complete: it opens the same store where the environment names another endpoint."""
        given = {"endpoint": self.endpoint, "region": self.region, "style": self.style}
        query = "&".join(f"{k}={quote(v, safe=':/')}" for k, v in given.items() if v)
        return f"s3://{self.root}" + (f"?{query}" if query else "")

    @property
    def root(self) -> str:
        """The bucket and the prefix, as pyarrow takes them."""
        return f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket

    def key(self, path: str) -> str:
        """Return the key of an object, or of a folder that ends in '/', in the bucket."""
        return f"{self.prefix}/{path}" if self.prefix else path
