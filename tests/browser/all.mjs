// All suites, one after the other: they give orders to the same stack, and the last one kills Redis.

import './sign_in.test.mjs';
import './charts.test.mjs';
import './orders.test.mjs';
import './access.test.mjs';
import './reference.test.mjs';
import './partial_answers.test.mjs';
import './outage.test.mjs';
