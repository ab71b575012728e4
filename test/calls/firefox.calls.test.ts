import { describe, it } from 'vitest';
import { openFirefox, whyNoFirefox } from '../support/firefox.ts';
import { describeBrowserCalls } from './browser.suite.ts';
import { callPage } from './call-page.ts';

const why = whyNoFirefox();

describe.skipIf(why !== undefined)('Firefox', () => {
  describeBrowserCalls({
    name: 'Firefox',
    open: (defer, authority) => openFirefox(defer, `(${callPage})()`, authority),
    transports: ['udp', 'tcp', 'tls'],
    media: ['data'],
  });
});

// A reason that people see in the output.
if (why !== undefined) it.skip(`Firefox: ${why}`, () => undefined);
