// GraphiQL has a dark theme by choice and one by the system's.
const dark = '--bar: #1b2230; --ink: #e8ebf1; --quiet: #a3adbd; --line: #343e50; --act: #ff5fb0; --on-act: #1b0a13; --bad: #ff8a80; --good: #6fdba2;';

/** The bar above GraphiQL: the page's style, markup and script. It needs `window.darkroom` (see `graphiql.ts`) and nothing else. */
export const uploadBarStyle = /* CSS */ `
  body { --bar: #f6f7f9; --ink: #20242c; --quiet: #5b6472; --line: #d9dde4; --act: #b3126b; --on-act: #fff; --bad: #b3261e; --good: #1a7f4b; }
  body.graphiql-dark { ${dark} }
  @media (prefers-color-scheme: dark) { body:not(.graphiql-light) { ${dark} } }
  html, body { height: 100%; margin: 0; }
  body { display: flex; flex-direction: column; }
  #root { flex: 1; min-height: 0; height: auto; }
  #root .graphiql-container { height: 100%; }
  #upload { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; padding: 8px 16px; background: var(--bar); color: var(--ink); border-bottom: 1px solid var(--line); font: 14px/1.4 system-ui, sans-serif; }
  #upload h1 { font-size: 15px; font-weight: 650; margin: 0 8px 0 0; }
  #upload label.pick, #upload button { border: 1px solid var(--line); border-radius: 6px; padding: 5px 12px; font: inherit; color: var(--ink); background: transparent; cursor: pointer; }
  #upload button.act { background: var(--act); border-color: var(--act); color: var(--on-act); font-weight: 600; }
  #upload button:disabled { opacity: .45; cursor: default; }
  #upload input[type=file] { position: absolute; width: 1px; height: 1px; opacity: 0; }
  #upload input[type=file]:focus-visible + label, #upload :focus-visible { outline: 2px solid var(--act); outline-offset: 2px; }
  #upload input[type=password] { border: 1px solid var(--line); border-radius: 6px; padding: 5px 8px; font: inherit; color: inherit; background: transparent; width: 16em; }
  #upload .say { color: var(--quiet); }
  #upload .outcome { flex-basis: 100%; display: flex; align-items: start; gap: 12px; }
  #upload .outcome[hidden] { display: none; }
  #upload ol { margin: 0; padding: 0; list-style: none; flex: 1; max-height: 22vh; overflow: auto; display: grid; gap: 2px; }
  #upload li { overflow-wrap: anywhere; }
  #upload li b { font-weight: 600; }
  #upload .good::before { content: "✓ "; color: var(--good); } #upload .bad::before { content: "✗ "; color: var(--bad); }
  #upload code { color: var(--quiet); font-size: 12px; } #upload a { color: var(--act); }
`;

export const uploadBar = (options: { needsToken: boolean }): string => /* HTML */ `
  <form id="upload" aria-label="Upload pictures">
    <h1>Darkroom</h1>
    <input type="file" id="files" multiple accept="image/*,.heic,.heif,.avif" /><label class="pick" for="files">Choose pictures…</label>
    <button class="act" disabled>Upload</button>
    ${options.needsToken ? '<label>Token <input type="password" id="token" autocomplete="off" placeholder="JWT or API key" /></label>' : ''}
    <span class="say" role="status">Drop pictures here, or choose them.</span>
    <div class="outcome" hidden><ol aria-label="Outcome of each file"></ol><button type="button" class="watch">Watch the jobs</button><button type="button" class="close" aria-label="Close the list">✕</button></div>
  </form>
`;

/** Before GraphiQL: its requests and sockets read these headers each time, so a token counts from the moment it is typed. */
export const startScript = /* JS */ `
  // The first visit: GraphiQL fills the tabs by itself, but the first one's variables only from here.
  if (!localStorage.getItem('graphiql:tabState')) localStorage.setItem('graphiql:variables', JSON.stringify(darkroom.upload.variables, null, 2));
  darkroom.headers = {};
  darkroom.useToken = (token) => {
    sessionStorage.setItem('darkroom:token', token);
    delete darkroom.headers.Authorization;
    if (token) darkroom.headers.Authorization = 'Bearer ' + token.replace(/^Bearer\\s+/i, '');
  };
  darkroom.useToken(sessionStorage.getItem('darkroom:token') ?? '');
`;

export const uploadBarScript = /* JS */ `
  {
    const bar = document.querySelector('#upload');
    const find = (selector) => bar.querySelector(selector);
    const picker = find('#files'), send = find('.act'), status = find('.say'), outcome = find('.outcome'), list = find('ol'), token = find('#token');
    const plural = (count, noun) => count + ' ' + noun + (count === 1 ? '' : 's');
    let jobIds = [];

    if (token) {
      token.value = sessionStorage.getItem('darkroom:token') ?? '';
      // GraphiQL asks for the schema once, when the page opens.
      token.addEventListener('change', () => { darkroom.useToken(token.value.trim()); location.reload(); });
    }
    picker.addEventListener('change', () => {
      const bytes = [...picker.files].reduce((sum, file) => sum + file.size, 0);
      send.disabled = picker.files.length === 0;
      status.textContent = picker.files.length ? plural(picker.files.length, 'picture') + ', ' + (bytes / 1e6).toFixed(1) + ' MB' : 'Drop pictures here, or choose them.';
    });
    bar.addEventListener('dragover', (event) => event.preventDefault());
    bar.addEventListener('drop', (event) => {
      event.preventDefault();
      picker.files = event.dataTransfer.files;
      picker.dispatchEvent(new Event('change'));
    });
    find('.close').addEventListener('click', () => { outcome.hidden = true; });
    // GraphiQL keeps its tabs in localStorage and reads them when the page opens.
    const openTab = (example, variables) => {
      const kept = JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{"tabs":[]}');
      let place = kept.tabs.findIndex((tab) => tab.operationName === example.title);
      if (place < 0) place = kept.tabs.push({ id: crypto.randomUUID(), hash: '', title: example.title, operationName: example.title, query: example.query, headers: null, response: null }) - 1;
      Object.assign(kept.tabs[place], { variables: JSON.stringify(variables, null, 2), response: null });
      Object.assign(kept, { activeTabIndex: place });
      const tab = kept.tabs[place];
      addEventListener('pagehide', () => {
        localStorage.setItem('graphiql:tabState', JSON.stringify(kept));
        localStorage.setItem('graphiql:query', tab.query);
        localStorage.setItem('graphiql:variables', tab.variables);
      });
      location.assign(location.pathname);
    };
    find('.watch').addEventListener('click', () => openTab(darkroom.watch, { jobIds }));

    // The tab as it was edited last; the example where that cannot be sent.
    const operation = () => {
      try {
        const { tabs } = JSON.parse(localStorage.getItem('graphiql:tabState'));
        const tab = tabs.find(({ operationName }) => operationName === 'Upload');
        return { query: tab.query, variables: JSON.parse(tab.variables) };
      } catch {
        return darkroom.upload;
      }
    };

    const line = (isGood, name, text, image) => {
      const item = document.createElement('li');
      item.className = isGood ? 'good' : 'bad';
      const title = document.createElement('b');
      title.textContent = name;
      item.append(title, ' ' + text + ' ');
      if (image?.url) {
        const link = Object.assign(document.createElement('a'), { href: image.url.url ?? image.url, target: '_blank', rel: 'noreferrer', textContent: 'open' });
        link.setAttribute('aria-label', 'Open ' + name);
        item.append(link, ' ');
      }
      if (image?.id) {
        const tabs = [
          { text: 'similar', says: 'Find pictures similar to ' + name, example: darkroom.similar },
          { text: 'cut out', says: 'Cut out the subject of ' + name, example: darkroom.cutOut },
        ];
        for (const { text, says, example } of tabs) {
          const link = Object.assign(document.createElement('a'), { href: '#', textContent: text });
          link.setAttribute('aria-label', says);
          link.addEventListener('click', (event) => { event.preventDefault(); openTab(example, { ...example.variables, imageId: image.id }); });
          item.append(link, ' ');
        }
        item.append(Object.assign(document.createElement('code'), { textContent: image.id }));
      }
      list.append(item);
    };
    const show = ({ data, errors = [] }) => {
      list.replaceChildren();
      const results = data?.uploadImages?.results ?? [];
      for (const { filename, image, alreadyStored, message, hint } of results) {
        if (image) line(true, filename, alreadyStored ? 'was already here' : 'is stored', image);
        else line(false, filename, message + (hint ? '. ' + hint : '') + '.');
      }
      for (const { message } of errors) line(false, 'The request was refused.', message);
      jobIds = results.flatMap(({ jobs }) => jobs ?? []).map(({ id }) => id);
      find('.watch').hidden = jobIds.length === 0;
      outcome.hidden = false;
      const stored = results.filter(({ image }) => image).length;
      status.textContent = stored + ' of ' + plural(Math.max(results.length, picker.files.length), 'picture') + ' stored' + (jobIds.length ? ', ' + plural(jobIds.length, 'job') + ' started' : '');
    };

    bar.addEventListener('submit', async (event) => {
      event.preventDefault();
      const files = [...picker.files];
      const body = new FormData();
      const { query, variables } = operation();
      body.set('operations', JSON.stringify({ query, operationName: 'Upload', variables: { ...variables, files: files.map(() => null) } }));
      body.set('map', JSON.stringify(Object.fromEntries(files.map((_, index) => [index, ['variables.files.' + index]]))));
      files.forEach((file, index) => body.append(index, file));
      send.disabled = true;
      bar.setAttribute('aria-busy', 'true');
      status.textContent = 'Sending ' + plural(files.length, 'picture') + '…';
      try {
        const response = await fetch(location.pathname, { method: 'POST', body, headers: { ...darkroom.headers, 'x-graphql-yoga-csrf': '1', accept: 'application/json' } });
        show(await response.json());
      } catch (error) {
        show({ errors: [{ message: 'The server did not answer: ' + error.message }] });
      } finally {
        send.disabled = false;
        bar.removeAttribute('aria-busy');
      }
    });
  }
`;
