# The other half of oracle.rs: the same operations on Python's own selector, one a line, one answer a line.
import fcntl, os, select, selectors, signal, socket, struct, sys, termios, time

signal.alarm(100)
FIRST = 200
kind = sys.argv[1]
selector = getattr(selectors, kind)()
ours, peers = {}, {}


def listener():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    s.bind(("127.0.0.1", 0))
    s.listen()
    return s


listening = listener()


def poll(fd, events):
    p = select.poll()
    p.register(fd, events)
    found = p.poll(0)
    return found[0][1] if found else 0


def await_that(what, done):
    end = time.monotonic() + 60
    while not done():
        if time.monotonic() > end:
            raise RuntimeError("waited too long: " + what)
        os.sched_yield()


def queued(fd, request):
    return struct.unpack("i", fcntl.ioctl(fd, request, b"\0" * 4))[0]


def ended(i):
    return poll(FIRST + i, select.POLLRDHUP) & (select.POLLRDHUP | select.POLLHUP | select.POLLERR)


def broken(i):
    return poll(FIRST + i, 0) & (select.POLLHUP | select.POLLERR)


def new(i, tcp):
    if tcp:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        peer.connect(listening.getsockname())
        our, _ = listening.accept()
        for s in our, peer:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131072)
    else:
        our, peer = socket.socketpair()
    our.setblocking(False)
    peer.setblocking(False)
    if i in ours:
        ours.pop(i).detach()
    os.dup2(our.fileno(), FIRST + i, False)
    our.close()
    ours[i] = socket.socket(fileno=FIRST + i)
    peers[i] = peer


def close(i):
    ours.pop(i).close()


def shut(i, end, how):
    (ours if end == 0 else peers)[i].shutdown((socket.SHUT_RD, socket.SHUT_WR)[how])
    if end == 1 and how == 1 and i in ours:
        await_that("end of input", lambda: ended(i))


def peer_close(i, reset):
    peer = peers.pop(i)
    if reset:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    hard = reset and peer.family != socket.AF_UNIX or queued(peer.fileno(), termios.FIONREAD) > 0
    peer.close()
    if i in ours:
        await_that("the peer's close", lambda: broken(i) if hard else ended(i))


def peer_write(i, n):
    before = queued(FIRST + i, termios.FIONREAD) if i in ours else 0
    if before > 2000:
        return
    n = peers[i].send(b"x" * n)
    if i in ours:
        await_that("delivery", lambda: queued(FIRST + i, termios.FIONREAD) == before + n or broken(i))


def read_all(i):
    while ours[i].recv(65536):
        pass


def fill(i, rejected):
    while True:
        try:
            ours[i].send(b"x" * 65536)
        except BlockingIOError:
            if not rejected:
                return


def drain(i):
    def done():
        try:
            while peers[i].recv(65536):
                pass
        except BlockingIOError:
            pass
        return i not in ours or queued(FIRST + i, termios.TIOCOUTQ) == 0 or broken(i)

    await_that("an empty queue", done)


def ready():
    found = sorted(f" {key.fd - FIRST}:{mask}" for key, mask in selector.select(0))
    return f"{len(selector.get_map())} registered, ready:" + "".join(found)


watching = {
    "register": lambda i, mask: selector.register(FIRST + i, mask),
    "modify": lambda i, mask: selector.modify(FIRST + i, mask),
    "unregister": lambda i: selector.unregister(FIRST + i),
    "select": ready,
}
changing = {
    "new": new,
    "close": close,
    "shut": shut,
    "peer_close": peer_close,
    "peer_write": peer_write,
    "read_all": read_all,
    "fill": fill,
    "drain": drain,
}

for line in sys.stdin:
    name, *args = line.split()
    args = [int(arg) for arg in args]
    if name == "restart":
        # A new selector; the sockets are replaced one by one next.
        selector.close()
        selector = getattr(selectors, kind)()
        answer = "ok"
    elif name in changing:
        # What the system says about the sockets themselves is not compared.
        try:
            changing[name](*args)
        except OSError:
            pass
        answer = "ok"
    else:
        try:
            found = watching[name](*args)
            answer = "ok " + found if name == "select" else "ok"
        except OSError as error:
            answer = f"OSError {error.errno}"
        except (KeyError, ValueError) as error:
            answer = type(error).__name__
    print(answer, flush=True)
