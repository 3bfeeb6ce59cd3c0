"""OpenStack Swift with its S3 API in one process: account, container, object and proxy server, all in one folder, on loopback.

swift-server.py FOLDER PORT, with the secret key of test:tester in SWIFT_SECRET.
"""
import os
import sys

import eventlet
from eventlet import wsgi
from swift.common import utils

folder, port = sys.argv[1], int(sys.argv[2])
secret = os.environ['SWIFT_SECRET']


def write(name, text):
    path = os.path.join(folder, name)
    with open(path, 'w') as file:
        file.write(text)
    return path


# Swift reads /etc/swift/swift.conf unless told otherwise, and before its other modules are loaded.
write('swift.conf', '[swift-hash]\nswift_hash_path_suffix = darkroom\n')
utils.set_swift_dir(folder)
utils.eventlet_monkey_patch()
eventlet.hubs.use_hub(utils.get_hub())

from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

os.makedirs(os.path.join(folder, 'devices/disk'), exist_ok=True)
common = f'[DEFAULT]\nswift_dir = {folder}\ndevices = {folder}/devices\nmount_check = false\nlog_address = {folder}/no-syslog\n'
greenlets = []


class Cache:
    """What Swift asks of a memcached, for one process."""

    def __init__(self):
        self.kept = {}

    def get(self, key, *_args, **_options):
        return self.kept.get(key)

    def set(self, key, value, *_args, **_options):
        self.kept[key] = value

    def delete(self, key, *_args, **_options):
        self.kept.pop(key, None)


def serve(app, listener):
    greenlets.append(eventlet.spawn(wsgi.server, listener, app, log=open(os.devnull, 'w'), log_output=False, max_size=200))


for name in ('account', 'container', 'object'):
    listener = eventlet.listen(('127.0.0.1', 0))
    ring = RingBuilder(6, 1, 1)  # 2^6 partitions, one copy
    ring.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': listener.getsockname()[1], 'device': 'disk', 'weight': 1})
    ring.rebalance()
    ring.get_ring().save(os.path.join(folder, f'{name}.ring.gz'))
    conf = write(f'{name}.conf', f'{common}[app:main]\nuse = egg:swift#{name}\n')
    serve(loadapp(conf), listener)

proxy = write('proxy.conf', f'''{common}
[pipeline:main]
pipeline = catch_errors s3api tempauth slo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:s3api]
use = egg:swift#s3api
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
[filter:slo]
use = egg:swift#slo
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
''')
os.chmod(proxy, 0o600)
app, cache = loadapp(proxy), Cache()
serve(lambda environ, start: app({**environ, 'swift.cache': cache}, start), eventlet.listen(('127.0.0.1', port)))
for greenlet in greenlets:
    greenlet.wait()
