# SPDX-License-Identifier: GPL-2.0-or-later
"""A box that fails below eipd: said once, clearly, and served meanwhile;
gone as soon as the box is well again."""
import contextlib
import os
import shutil

from lab import UnixHttp, wait_for
from test_spine import no_problem, problem


def count(eipd, line):
    return eipd.text().count(line)


# /run is cleaned


def test_socket_comes_back(net, eipd, web):
    """Who was connected stays so, and nobody has to ask for it."""
    reader = UnixHttp(eipd.socket)
    with contextlib.closing(reader):
        reader.request("GET", "/healthz")
        assert reader.getresponse().read()
        os.unlink(eipd.socket)
        wait_for("a socket again", lambda: os.path.exists(eipd.socket))
        assert os.stat(eipd.socket).st_mode & 0o777 == 0o660
        assert eipd.ctl("status")[0] == 0
        reader.request("GET", "/healthz")
        assert reader.getresponse().status == 200
    assert count(eipd, f"someone removed {eipd.socket}") == 1


def test_directory_of_the_socket_removed(net, eipd, web):
    run_dir = net.path("run")
    os.mkdir(run_dir)
    eipd.stop()
    eipd.set_conf(eipd.CONF.replace("{dir}/eipd.sock", f"{run_dir}/eipd.sock"))
    eipd.socket = f"{run_dir}/eipd.sock"
    try:
        eipd.start()
        shutil.rmtree(run_dir)
        line = f"control: control.socket: directory {run_dir}: No such file"
        wait_for("told", lambda: count(eipd, line))
        assert net.get(web[0], 80)
        os.mkdir(run_dir)
        wait_for("back", lambda: eipd.ctl("status")[0] == 0)
        assert count(eipd, line) == 1
        no_problem(eipd, "control")
        assert "control: listening as configured again" in eipd.text()
    finally:
        eipd.stop()
        eipd.socket = f"{eipd.dir}/eipd.sock"
        eipd.set_conf(eipd.CONF)
        shutil.rmtree(run_dir, ignore_errors=True)
        eipd.start()


def test_http_port_taken(net, eipd, web):
    """Free again, it is used: nobody reloads."""
    eipd.stop()
    taken = net.spawn("gw", "/usr/bin/python3", "-c", """
import signal, socket
s = socket.create_server(("127.0.0.1", 9640))
signal.pause()
""", log="taken.log")
    try:
        wait_for("taken", lambda: ":9640" in net.run("gw", "ss", "-Hltn"))
        eipd.start()
        problem(eipd, "control", "127.0.0.1 port 9640", "in use")
    finally:
        net.stop(taken)
    no_problem(eipd, "control")
    assert net.get("127.0.0.1", 9640, "/healthz", host="gw")


def test_control_group_missing(eipd, web):
    try:
        eipd.set_conf(eipd.CONF.replace("group: root", "group: nosuchgroup"))
        assert eipd.ctl("reload")[0] == 0
        problem(eipd, "control", "no group nosuchgroup", "create it", "reload")
    finally:
        eipd.set_conf(eipd.CONF)
        eipd.hup()
    no_problem(eipd, "control")
