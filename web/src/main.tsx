import './ui/styles.css';
import { StrictMode, startTransition } from 'react';
import { createRoot } from 'react-dom/client';
import { askAhead } from './ahead';
import { App } from './app';
import { startLanguage } from './i18n';

const root = document.getElementById('root');
if (root) {
  askAhead();
  // A language that cannot be loaded leaves the page in English.
  void startLanguage()
    .catch(() => undefined)
    .then(() =>
      // Drawn in small steps: a slow phone answers to fingers meanwhile.
      startTransition(() =>
        createRoot(root).render(
          <StrictMode>
            <App />
          </StrictMode>,
        ),
      ),
    );
}
