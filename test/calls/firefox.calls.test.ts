import { describe, it } from 'vitest';
import { openFirefox, whyNoFirefox } from '../support/firefox.ts';
import { describeBrowserCalls } from './browser.suite.ts';
import { callPage } from './call-page.ts';

const why = whyNoFirefox();

describe.skipIf(why !== undefined)('Firefox', () => {
  describeBrowserCalls({
    name: 'Firefox',
    open: (defer) => openFirefox(defer, `(${callPage})()`),
    // Over TLS it takes no certificate that nobody signed.
    transports: ['udp', 'tcp'],
    media: ['data'],
  });
});

// A reason that people see in the output.
if (why !== undefined) it.skip(`Firefox: ${why}`, () => undefined);
