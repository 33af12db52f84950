"""Walks through the API with PyPI's heroku3. Usage: python3 heroku3_client.py begin|end URL TOKEN APP"""

import sys

import heroku3.api
import requests

PHASE, URL, TOKEN, APP = sys.argv[1:]
heroku3.api.HEROKU_URL = URL


def begin(heroku):
    assert "@" in heroku.account().email
    assert APP not in [app.name for app in heroku.apps()]
    app = heroku.create_app(name=APP)
    assert app.name == APP
    assert APP in [app.name for app in heroku.apps()]
    config = app.update_config({"GREETING": "hello", "GONE": "1"})
    assert config["GREETING"] == "hello"
    del config["GONE"]
    assert app.config().to_dict() == {"GREETING": "hello"}
    domain = app.add_domain(f"www.{APP}.example", None)
    assert domain.kind == "custom"
    try:
        heroku.app("no-such-app")
    except requests.exceptions.HTTPError as error:
        assert error.response.status_code == 404
    else:
        raise AssertionError("an unknown app was found")


def end(heroku):
    app = heroku.app(APP)
    assert app.scale_formation_process("web", 2).quantity == 2
    assert [process.quantity for process in app.process_formation() if process.type == "web"] == [2]
    releases = app.releases()
    assert len(releases) >= 3
    newest = app.releases(order_by="version", limit=1, sort="desc")[0]
    assert newest.version == max(release.version for release in releases)
    assert f"www.{APP}.example" in [domain.hostname for domain in app.domains()]
    assert "web.1" in [dyno.name for dyno in app.dynos()]
    assert app.get_log(lines=5)
    app.enable_maintenance_mode()
    assert heroku.app(APP).maintenance
    app.remove_domain(f"www.{APP}.example")
    app.delete()
    assert APP not in [app.name for app in heroku.apps()]


{"begin": begin, "end": end}[PHASE](heroku3.from_key(TOKEN))
print("walked")
