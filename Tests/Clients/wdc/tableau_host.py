"""Tableau's part in the life of a web data connector, played with a page in Chromium."""

import functools
import http.server
import pathlib
import threading
from typing import Any, Self

from playwright.sync_api import Page

FOLDER = pathlib.Path(__file__).parent


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class Origin:
    """Serves this folder: another origin than the server's, as Tableau's script comes from one."""

    def __enter__(self) -> Self:
        handler = functools.partial(Files, directory=FOLDER)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class TableauHost:
    def __init__(self, page: Page, origin: str, connector: str) -> None:
        self.page, self.connector = page, connector
        page.goto(f"{origin}/host.html")

    # Messages

    def open(self) -> None:
        self.page.evaluate("address => open_(address)", self.connector)
        self.wait_for("loaded")
        self.frame = self.page.frames[-1]

    def send(self, name: str, data: dict[str, Any] | None = None, props: dict[str, Any] | None = None) -> None:
        self.page.evaluate("([name, data, props]) => send(name, data, props)", [name, data or {}, props or {}])

    def messages(self, name: str) -> list[dict[str, Any]]:
        return self.page.evaluate("name => messages.filter(m => m.msgName === name)", name)

    def wait_for(self, *names: str) -> dict[str, Any]:
        """The first message of one of these names."""
        find = "names => messages.find(m => names.includes(m.msgName))"
        return self.page.wait_for_function(find, arg=list(names)).json_value()

    # Phases

    def interact(
        self, phase: str = "interactive", props: dict[str, Any] | None = None, **fields: str | int
    ) -> dict[str, Any]:
        """Opens the connector, fills its form and connects; what it submits."""
        self.open()
        self.send("init", {"phase": phase}, props)
        self.wait_for("initCallback")
        for field, value in fields.items():
            element = self.frame.locator(f"#{field}")
            if element.evaluate("element => element.tagName") == "SELECT":
                element.select_option(str(value))
            else:
                element.fill(str(value))
        self.frame.locator("#connect").click()
        return self.wait_for("submit")["props"]

    def begin_gathering(self, props: dict[str, Any]) -> dict[str, Any]:
        """Opens the connector for data; the message that its init ends with."""
        self.open()
        self.send("init", {"phase": "gatherData"}, props)
        return self.wait_for("initCallback", "abortForAuth", "abortWithError")

    def schema(self) -> dict[str, dict[str, Any]]:
        self.send("getSchema")
        return {table["id"]: table for table in self.wait_for("_schemaCallback")["msgData"]["schema"]}

    def gather(self, table: dict[str, Any], increment: str | None = None) -> list[dict[str, Any]]:
        """Asks for a table's data until it is done or aborted; the rows, as Tableau would keep them."""
        self.send("getData", {"tablesAndIncrementValues": [{"tableInfo": table, "incrementValue": increment or ""}]})
        self.wait_for("_dataDoneCallback", "abortWithError")
        return [row for message in self.messages("_tableDataCallback") for row in message["msgData"]["data"]]

    def refresh(self, props: dict[str, Any], table: str, increment: str | None = None) -> list[dict[str, Any]]:
        """A whole refresh of one table in a browser of its own."""
        assert self.begin_gathering(props)["msgName"] == "initCallback"
        return self.gather(self.schema()[table], increment)
