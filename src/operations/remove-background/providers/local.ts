import type { Provider } from '../../define.ts';
import { cutOutImage } from '../cut-out.ts';
import type { Parameters, Result } from '../parameters.ts';

/** No weights: what stands out from the frame of the picture is the subject. Good before plain and blurred backgrounds, weak before busy ones. */
export const local: Provider<Parameters, Result> = {
  name: 'local',
  version: '2',
  unavailable: () => null,
  run: (run) => cutOutImage(run, null),
};
