# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The web page: its functions, its server, and the page in a real browser."""
import importlib.util
import io
import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image
from tiny_data import picture

# Imported by the tests, for it takes seconds: every process of the suite reads this file.
if not importlib.util.find_spec('gradio'):
    pytest.skip('the web page needs the extra "demo"', allow_module_level=True)

APP = Path(__file__).parents[2] / 'demo' / 'gradio_app.py'
CHROMIUM, CHROMEDRIVER = shutil.which('chromium'), shutil.which('chromedriver')


@pytest.fixture(scope='module')
def app():
    spec = importlib.util.spec_from_file_location('gradio_app', APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def translator(app, inferencer):
    return app.Translator(inferencer, max_pixels=10_000)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Images to upload, by name."""
    folder = tmp_path_factory.mktemp('uploads')
    paths = {}
    for seed, name in enumerate(['content', 'exemplar', 'other']):
        paths[name] = str(folder / f'{name}.png')
        Image.fromarray(picture(16, 20, seed)).save(paths[name])
    return paths


@pytest.fixture(scope='module')
def url(app, translator, tmp_path_factory):
    """Of the page, served on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('GRADIO_TEMP_DIR', str(tmp_path_factory.mktemp('gradio')))
        page = app.build_page(translator, {})
        _, url, _ = app.launch(page, prevent_thread_lock=True, quiet=True,
                               server_name='127.0.0.1', max_file_size=100_000)
        yield url
        page.close()


def refused(function, *args):
    from gradio import Error
    with pytest.raises(Error) as error:
        function(*args)
    return error.value.message


def test_translate(translator, inferencer, files):
    assert list(translator.directions) == ['A → B', 'B → A']
    for direction, (_, target) in translator.directions.items():
        image, mask = translator.translate(files['content'], files['exemplar'], direction)
        wanted = inferencer(files['content'], files['exemplar'], target, return_masks=True)
        assert np.array_equal(image, wanted[0]) and np.array_equal(mask, wanted[1])


def test_mix(translator, inferencer, files, tmp_path):
    def mix(other, region=None, share=0.5, strength=1.):
        return translator.mix(files['content'], files['exemplar'], other, region, share, strength,
                              'A → B')

    plain, other = (inferencer(files['content'], files[name]) for name in ('exemplar', 'other'))
    for same in (mix(None), mix(files['other'], share=0), mix(files['exemplar'], share=0.3)):
        assert np.array_equal(same, plain)
    assert np.array_equal(mix(files['other'], share=1), other)
    mixed = mix(files['other'])
    assert not np.array_equal(mixed, plain) and not np.array_equal(mixed, other)
    # A painted layer of any size is opaque where the second exemplar goes; all of it where
    # nothing is painted.
    layer = Image.new('RGBA', (10, 8))
    for colour in ((0, 0, 0, 0), (230, 25, 75, 255)):
        layer.paste(colour, (0, 0, 10, 8))
        layer.save(tmp_path / 'layer.png')
        assert np.array_equal(mix(files['other'], str(tmp_path / 'layer.png'), share=1), other)
    layer.paste((0, 0, 0, 0), (5, 0, 10, 8))
    layer.save(tmp_path / 'layer.png')
    half = mix(files['other'], str(tmp_path / 'layer.png'), share=1)
    labels = np.zeros((16, 20), np.uint8)
    labels[:, :10] = 1
    styles = {label: inferencer.style(files[name])
              for label, name in enumerate(['exemplar', 'other'])}
    assert np.array_equal(half, inferencer.translate_to_style(
        files['content'], styles, regions=labels))
    assert not np.array_equal(half, plain) and not np.array_equal(half, other)
    assert "mean style of domain 'B'" in refused(mix, None, None, 0.5, 0.5)
    assert refused(mix, str(tmp_path / 'none.png')).startswith('none.png is not an image')


def test_server_mixes(url, inferencer, files):
    import gradio_client
    client = gradio_client.Client(url, verbose=False, download_files=True)
    upload = {name: gradio_client.handle_file(path) for name, path in files.items()}
    result = client.predict(upload['content'], upload['exemplar'], upload['other'], None, 0.25, 1,
                            'A → B', api_name='/mix')
    style = inferencer.style([files['exemplar'], files['other']], [3, 1])
    with Image.open(result) as image:
        assert np.array_equal(image, inferencer.translate_to_style(files['content'], style))


def test_matrix(translator, files):
    picture = translator.matrix([files['content']] * 2, [files['exemplar']] * 3, 'A → B')
    assert picture.shape == (3 * 18 + 2, 4 * 22 + 2, 3)
    message = refused(translator.matrix, [files['content']] * 7, [files['exemplar']], 'A → B')
    assert message == 'Give 1 to 6 contents, not 7.'
    message = refused(translator.matrix, [files['content']], None, 'A → B')
    assert message == 'Give 1 to 6 exemplars, not 0.'


def test_refused_uploads(translator, files, tmp_path, monkeypatch):
    def refusal(path):
        return refused(translator.translate, str(path), files['exemplar'], 'A → B')

    assert refused(translator.translate, None, files['exemplar'], 'A → B') == (
        'Choose an image as content first.')
    (tmp_path / 'text.png').write_text('no image')
    (tmp_path / 'half.png').write_bytes(Path(files['content']).read_bytes()[:200])
    # GIF stands for the many formats of Pillow that nobody needs here.
    Image.new('L', (9, 9)).save(tmp_path / 'gif.png', format='GIF')
    for name in ('text.png', 'half.png', 'gif.png'):
        assert refusal(tmp_path / name) == f'{name} is not an image that can be read here.'
    # A bomb of few bytes: its pixels are counted before they are decoded.
    Image.new('L', (9000, 9000)).save(tmp_path / 'bomb.png')
    monkeypatch.setattr('PIL.ImageFile.ImageFile.load', lambda *args: pytest.fail('decoded'))
    too_large = 'bomb.png has 9000 x 9000 pixels; at most'
    assert refusal(tmp_path / 'bomb.png').startswith(too_large)
    # So is a painted layer.
    monkeypatch.undo()
    for name, message in (('text.png', 'text.png is not an image'), ('bomb.png', too_large)):
        assert refused(translator.mix, files['content'], files['exemplar'], None,
                       str(tmp_path / name), 0.5, 1, 'A → B').startswith(message)


def test_server_translates_for_two_at_once(url, inferencer, files):
    import gradio_client
    start = threading.Barrier(2)

    def visit(name):
        client = gradio_client.Client(url, verbose=False, download_files=True)
        start.wait()
        for _ in range(3):
            result, _ = client.predict(
                gradio_client.handle_file(files[name]),
                gradio_client.handle_file(files['exemplar']), 'A → B', api_name='/translate')
            with Image.open(result) as image:
                pixels = np.array(image).astype(int)
            wanted = inferencer(files[name], files['exemplar'])
            assert np.abs(pixels - wanted).max() <= 1, name
        return name

    with ThreadPoolExecutor(2) as visitors:
        assert list(visitors.map(visit, ['content', 'other'])) == ['content', 'other']


@pytest.mark.parametrize('address', ['https://example.org/', 'HTTP%3A//example.org/'])
def test_server_sends_nobody_elsewhere(url, address):
    import httpx
    response = httpx.get(f'{url}gradio_api/file={address}', follow_redirects=False)
    assert response.status_code == 404 and 'location' not in response.headers


@pytest.mark.parametrize('name', ['text.png', 'empty.png', 'huge.png'])
def test_server_says_why_it_refuses_a_file(url, files, tmp_path, name):
    import gradio_client
    (tmp_path / 'text.png').write_text('no image')
    (tmp_path / 'empty.png').touch()
    Image.new('1', (20_000, 20_000)).save(tmp_path / 'huge.png')  # 50 kB; Pillow will not open it
    client = gradio_client.Client(url, verbose=False)
    with pytest.raises(gradio_client.exceptions.AppError, match=f'{name} is not an image that can'):
        client.predict(gradio_client.handle_file(tmp_path / name),
                       gradio_client.handle_file(files['exemplar']), 'A → B',
                       api_name='/translate')


def test_server_refuses_large_uploads_and_foreign_files(url, files, tmp_path):
    import gradio_client
    import httpx
    client = gradio_client.Client(url, verbose=False)
    Image.fromarray(picture(300, 300)).save(tmp_path / 'large.png')  # 270 kB of noise
    with pytest.raises(Exception, match='413|larger|exceed|size'):
        client.predict(gradio_client.handle_file(tmp_path / 'large.png'),
                       gradio_client.handle_file(files['exemplar']), 'A → B',
                       api_name='/translate')
    # A file of the server that nobody uploaded, named instead of an upload.
    secret = tmp_path / 'secret.png'
    Image.fromarray(picture(8, 8)).save(secret)
    # By hand, for Gradio's client would upload it first.
    with httpx.Client(base_url=f'{url}gradio_api/', timeout=30) as http:
        for path in (str(secret), '../../etc/passwd', '/etc/passwd'):
            image = dict(path=path, meta=dict(_type='gradio.FileData'))
            event = http.post('call/translate', json=dict(data=[image, image, 'A → B'])).json()
            answer = http.get(f'call/translate/{event["event_id"]}').text
            assert 'event: error' in answer and 'event: complete' not in answer
            assert http.get(f'file={path}').status_code in (403, 404)


@pytest.mark.parametrize('name', ['../../outside.png', '/tmp/outside.png', '..\\outside.png',
                                  '%2e%2e%2foutside.png', 'a' * 300 + '.png', 'ümläut 漢字.png'])
def test_server_keeps_uploads_in_its_folder_whatever_their_name(url, files, tmp_path, name):
    import httpx
    with httpx.Client(base_url=f'{url}gradio_api/', timeout=30) as http:
        answer = http.post('upload', files=dict(files=(name, Path(files['content']).read_bytes())))
        if answer.status_code != 200:
            return
        path, = answer.json()
        folder = os.path.realpath(os.environ['GRADIO_TEMP_DIR'])
        assert os.path.realpath(path).startswith(folder + os.sep)
        image = dict(path=path, meta=dict(_type='gradio.FileData'))
        event = http.post('call/translate', json=dict(data=[image, image, 'A → B'])).json()
        assert 'event: complete' in http.get(f'call/translate/{event["event_id"]}').text


def resident_mb():
    """Memory of this process, in which the server runs."""
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20


@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='reads /proc of Linux')
def test_many_requests_keep_the_memory(url, files):
    """$EGSCIT_DEMO_REQUESTS sets how many; a leak of the images would be 4 MB each."""
    import httpx
    number = int(os.environ.get('EGSCIT_DEMO_REQUESTS', 60))
    upload = io.BytesIO()
    Image.new('RGB', (100, 100), (200, 30, 40)).save(upload, 'PNG')  # at most what the page takes
    with httpx.Client(base_url=f'{url}gradio_api/', timeout=60) as http:

        def request():
            path, = http.post('upload', files=dict(files=('a.png', upload.getvalue()))).json()
            image = dict(path=path, meta=dict(_type='gradio.FileData'))
            event = http.post('call/translate', json=dict(data=[image, image, 'A → B'])).json()
            assert 'event: complete' in http.get(f'call/translate/{event["event_id"]}').text

        for _ in range(15):  # caches fill
            request()
        before = resident_mb()
        for _ in range(number):
            request()
    growth = resident_mb() - before
    print(f'{number} requests: {growth:.1f} MB more')
    assert growth < 30


@pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason='Chromium or its driver is missing '
                    '(Debian: apt-get install chromium chromium-driver)')
def test_page_in_a_browser(url, inferencer, files, tmp_path):
    """From the upload to the result; keeps a screenshot ($EGSCIT_SCREENSHOTS chooses where)."""
    webdriver = pytest.importorskip('selenium.webdriver')
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
                     '--no-first-run', '--disable-background-networking', '--disable-sync',
                     '--disable-component-update', '--window-size=1300,900',
                     '--disable-dev-shm-usage', f'--user-data-dir={tmp_path / "profile"}'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', dict(performance='ALL'))
    browser = webdriver.Chrome(options, webdriver.ChromeService(CHROMEDRIVER))
    try:
        browser.get(url)
        wait = WebDriverWait(browser, 60)

        def uploads(number):
            return wait.until(
                lambda _: found if len(found := browser.find_elements(
                    By.CSS_SELECTOR, 'input[type=file]')) >= number else None)

        for element, name in zip(uploads(2), ['content', 'exemplar']):
            element.send_keys(files[name])
        wait.until(lambda _: len(browser.find_elements(By.CSS_SELECTOR, 'img[src*="/file="]')) == 2)
        browser.find_element(By.ID, 'translate').click()
        images = wait.until(
            lambda _: found if len(found := browser.find_elements(
                By.CSS_SELECTOR, 'img[src*="/file="]')) == 4 else None)
        assert wait.until(lambda _: [
            (image.get_property('naturalWidth'), image.get_property('naturalHeight'))
            for image in images
        ] == [(20, 16)] * 4)
        # What the page asks of other servers is not sent.
        events = [json.loads(entry['message'])['message']
                  for entry in browser.get_log('performance')]
        foreign = {event['params']['requestId'] for event in events
                   if event['method'] == 'Network.requestWillBeSent'
                   and event['params']['request']['url'].startswith('http')
                   and not event['params']['request']['url'].startswith(url)}
        blocked = {event['params']['requestId'] for event in events
                   if event['method'] == 'Network.loadingFailed'
                   and event['params'].get('blockedReason') == 'csp'}
        assert foreign == blocked
        folder = Path(os.environ.get('EGSCIT_SCREENSHOTS', tmp_path))
        assert browser.save_screenshot(str(folder / 'gradio_app.png'))
        # The brush: a stroke down the middle of the content gets the second exemplar's style.
        browser.find_elements(By.CSS_SELECTOR, 'button[role=tab]')[1].click()
        for element, name in zip(uploads(5)[2:], ['content', 'exemplar', 'other']):
            element.send_keys(files[name])
        canvas = wait.until(lambda _: browser.find_elements(By.CSS_SELECTOR, '#brush canvas'))[-1]
        time.sleep(3)  # until the content is drawn: nothing on the page tells
        stroke = webdriver.ActionChains(browser)
        stroke.move_to_element_with_offset(canvas, 0, -150).click_and_hold()
        for _ in range(30):
            stroke.move_by_offset(0, 10)
        stroke.release().perform()
        browser.execute_script('arguments[0].scrollIntoView()',
                               button := browser.find_element(By.ID, 'mix'))
        button.click()
        mixed = wait.until(lambda _: browser.find_elements(
            By.CSS_SELECTOR, '#mixed img[src*="/file="]'))[0]
        assert wait.until(lambda _: mixed.get_property('naturalWidth') == 20)
        with urlopen(mixed.get_attribute('src')) as file, Image.open(file) as image:
            change = np.abs(np.array(image).astype(int)
                            - inferencer(files['content'], files['exemplar']))
        assert change[:, 10].mean() > 2 * change[:, [0, 19]].mean() + 1
        assert browser.save_screenshot(str(folder / 'brush.png'))
    finally:
        browser.quit()
    assert (folder / 'gradio_app.png').stat().st_size > 10_000
