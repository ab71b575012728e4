import { describeBrowserCalls } from './browser.suite.ts';
import { openCallTab } from './call-scene.ts';

describeBrowserCalls({
  name: 'Chromium',
  open: openCallTab,
  transports: ['udp', 'tcp', 'tls'],
  media: ['data', 'video'],
});
