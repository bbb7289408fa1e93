"""One thread counts until the process has had half a second of CPU time, another sleeps 50 times for
10 ms. They are named `counter` and `sleeper`."""

import ctypes
import os
import threading
import time

SLEEPS = 50


def name(text):
    PR_SET_NAME = 15
    ctypes.CDLL(None).prctl(PR_SET_NAME, text.encode(), 0, 0, 0)


def sleep():
    name("sleeper")
    for _ in range(SLEEPS):
        time.sleep(0.01)


name("counter")
sleeper = threading.Thread(target=sleep)
sleeper.start()
count = 0
while time.process_time() < 0.5:
    for _ in range(10000):
        count += 1
sleeper.join()
os._exit(0)
